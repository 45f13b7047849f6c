"""The normalizing flows of AutoNormalizingFlow: a row each, mapped onto Pyro's factories."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flow:
    """A kind of normalizing flow.

    Attributes:
        name: Its name in a spec.
        factory: The function of `pyro.distributions.transforms` that makes one layer.
        hidden: Whether its layers are networks whose hidden sizes can be set (`hidden_dims`).
        least_dimension: The fewest unconstrained numbers that it can transform.
        doc: What it is, in one line.
    """

    name: str
    factory: str
    hidden: bool
    least_dimension: int
    doc: str


_ROWS = (
    Flow("iaf", "affine_autoregressive", True, 1, "Affine autoregressive (Kingma et al., 2016)."),
    Flow("neural", "neural_autoregressive", True, 1, "Neural autoregressive (Huang et al., 2018)."),
    Flow("block", "block_autoregressive", False, 1, "Block autoregressive (De Cao et al., 2019)."),
    Flow("coupling", "affine_coupling", True, 2, "Affine coupling, RealNVP (Dinh et al., 2017)."),
    Flow("spline", "spline", False, 1, "Rational spline in each coordinate (Durkan et al., 2019)."),
    Flow(
        "spline_autoregressive",
        "spline_autoregressive",
        True,
        1,
        "Autoregressive rational spline (Durkan et al., 2019; Dolatabadi et al., 2020).",
    ),
    Flow("planar", "planar", False, 1, "Planar (Rezende and Mohamed, 2015)."),
    Flow("radial", "radial", False, 1, "Radial (Rezende and Mohamed, 2015)."),
)

FLOWS: dict[str, Flow] = {row.name: row for row in _ROWS}
