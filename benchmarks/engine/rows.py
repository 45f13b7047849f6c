"""What is measured. Nothing heavy is imported here: the process that starts the others is small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

SIDES = ("ours", "numpyro", "pyro")

MINIBATCH = 256
_SMALL = 10_000


@dataclass(frozen=True)
class Row:
    """One model, its data and the guide that is fitted to it.

    Attributes:
        name: The row's name on the command line and in the tables.
        model: The name of the model in ``models``, ``numpyro_models`` and ``data``.
        sizes: What the data's generator needs to know.
        static: What the model needs to know beside its data.
        guide: The guide's class, of one name in all libraries.
        options: Its options in our library and Pyro's.
        numpyro_options: Its options in NumPyro, where they are called otherwise.
        at_zero: Whether the guide's location starts at zero in unconstrained space. Flows start
            near a standard normal instead.
        rate: Adam's learning rate.
        dense: Whether a step is bound by two passes over a design matrix, ``x`` in the data.
    """

    name: str
    model: str
    sizes: Mapping[str, int] = field(default_factory=dict)
    static: Mapping[str, int] = field(default_factory=dict)
    guide: str = "AutoNormal"
    options: Mapping[str, Any] = field(default_factory=dict)
    numpyro_options: Mapping[str, Any] = field(default_factory=dict)
    at_zero: bool = True
    rate: float = 0.01
    dense: bool = False

    def quick(self) -> Row:
        """The same row with less data, for trying things out."""
        sizes = {name: size if size <= _SMALL else size // 100 for name, size in self.sizes.items()}
        return replace(self, sizes=sizes)


_COUNTIES = {"counties": 85}
_RANK = {"rank": 9}  # the default of all three for 89 latent dimensions

ROWS = (
    Row("eight_schools", "eight_schools"),
    Row("eight_schools_iaf", "eight_schools", guide="AutoIAFNormal", at_zero=False,
        options={"hidden_dim": [31], "num_transforms": 1},
        numpyro_options={"hidden_dims": [31], "num_flows": 1}),
    Row("radon", "radon", static=_COUNTIES),
    Row("radon_mvn", "radon", static=_COUNTIES, guide="AutoMultivariateNormal"),
    Row("radon_lowrank", "radon", static=_COUNTIES, guide="AutoLowRankMultivariateNormal",
        options=_RANK, numpyro_options=_RANK),
    Row("logistic_1k", "logistic", sizes={"n": 1_000, "p": 20}, dense=True),
    Row("logistic_100k", "logistic", sizes={"n": 100_000, "p": 50}, dense=True),
    Row("logistic_1m_batch", "logistic", sizes={"n": 1_000_000, "p": 50},
        static={"batch": MINIBATCH}),
    Row("mixture", "mixture", sizes={"n": 1_000}),
    Row("gp", "gp", sizes={"n": 200}),
    Row("poisson", "poisson", sizes={"n": 3_000}),
)  # fmt: skip
"""The rows of the comparison."""

SWEEPS = {
    "logistic regression, 20 columns, all data in each step": tuple(
        Row(f"{n:,} rows", "logistic", sizes={"n": n, "p": 20}, dense=True)
        for n in (1_000, 10_000, 100_000, 1_000_000)
    ),
    "hierarchical Poisson, one latent variable a group": tuple(
        Row(f"{n:,} groups", "poisson", sizes={"n": n}) for n in (100, 1_000, 10_000, 100_000)
    ),
    f"logistic regression, 10 columns, minibatches of {MINIBATCH}": tuple(
        Row(f"{n:,} rows", "logistic", sizes={"n": n, "p": 10}, static={"batch": MINIBATCH})
        for n in (10_000, 100_000, 1_000_000, 10_000_000)
    ),
}
"""Rows that differ in one size only; the size that grows is ``n``."""
