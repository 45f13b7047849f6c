"""`AutoGuideList`: a guide put together from parts, each over some of the model's sites."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from pyro.poutine.messenger import Messenger
from torch import Tensor, nn

from autoguide_core.guides.base import AutoGuide, is_not_latent
from autoguide_core.guides.callable import AutoCallable
from autoguide_core.initialization import Site


class AutoGuideList(AutoGuide, nn.ModuleList):
    """A guide made of parts.

    Each part is a guide over a restriction of the model, usually made with `pyro.poutine.block`::

        guide = AutoGuideList(model)
        guide.append(AutoMultivariateNormal(poutine.block(model, expose=["mu", "tau"])))
        guide.append(AutoNormal(poutine.block(model, hide=["mu", "tau"])))

    The parts are run in order. At the first call the list checks that no two parts cover one site,
    and warns of latent sites that no part covers.

    Args:
        model: A Pyro model.
        create_plates: As for `AutoGuide`; the plates serve all parts.
    """

    _reads_supports = False

    def __init__(
        self, model: Callable[..., Any], *, create_plates: Callable[..., Any] | None = None
    ) -> None:
        super().__init__(model, create_plates=create_plates)
        self._is_checked = False

    def append(self, part: AutoGuide | Callable[..., Any]) -> None:
        """Add a part, under its position as its name.

        Args:
            part: A guide, or a callable with the model's arguments, which is wrapped in an
                `AutoCallable`.

        Raises:
            RuntimeError: The part is in a list already.
        """
        if not isinstance(part, AutoGuide):
            part = AutoCallable(self.model, part)
        if part.master is not None:
            raise RuntimeError(f"The guide `{part._pyro_name}` is already part of a list.")
        setattr(self, str(len(self)), part)

    def add(self, part: AutoGuide | Callable[..., Any]) -> None:
        """Deprecated alias of `append`."""
        warnings.warn(
            "AutoGuideList.add is deprecated in favour of .append.",
            DeprecationWarning,
            stacklevel=2,
        )
        self.append(part)

    def extend(self, parts: Iterable[AutoGuide | Callable[..., Any]]) -> AutoGuideList:
        """Append each of several parts."""
        for part in parts:
            self.append(part)
        return self

    def __getitem__(self, index: int | slice) -> Any:
        """One part by position, or a plain list of parts by slice."""
        parts = list(self._modules.values())
        return parts[index]

    def _parts(self) -> Iterator[tuple[str, AutoGuide]]:
        for name, part in self._modules.items():
            if isinstance(part, AutoGuide):
                yield name, part

    def _check_prototype(self, part_trace: Any, part: AutoGuide) -> None:
        """Check that a part saw the sites of this list's model, with the same shapes."""
        for name, part_site in part_trace.iter_stochastic_nodes():
            if name not in self.prototype_trace.nodes:
                raise ValueError(
                    f"The part {part._pyro_name} covers site '{name}', which is not a latent site "
                    "of the AutoGuideList's own model."
                )
            site = self.prototype_trace.nodes[name]
            shapes, part_shapes = (
                (node["fn"].batch_shape, node["fn"].event_shape, node["value"].shape)
                for node in (site, part_site)
            )
            if shapes != part_shapes:
                raise ValueError(
                    f"Site '{name}' has shape {tuple(shapes[2])} in the AutoGuideList's model, but "
                    f"{tuple(part_shapes[2])} in that of the part {part._pyro_name}."
                )

    def forward(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Run all parts.

        Args:
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            The sampled value of each site.

        Raises:
            ValueError: Two parts cover one site.
        """
        self._ensure_prototype(*args, **kwargs)
        self._create_plates(*args, **kwargs)
        root = self._root()
        claims: dict[str, str] = {}
        result: dict[str, Tensor] = {}
        try:
            for _, part in self._parts():
                if self._is_checked:
                    values = part(*args, **kwargs)
                else:
                    with _Claims(claims, part._pyro_name):
                        values = part(*args, **kwargs)
                result.update(values)
                root._emitted.update(values)
        finally:
            if root is self:
                self._emitted = {}
        if not self._is_checked:
            self._is_checked = True
            self._warn_of_gaps(claims)
        return result

    def _warn_of_gaps(self, claims: dict[str, str]) -> None:
        for name, part in self._parts():
            if part._pyro_name not in claims.values() and not isinstance(part, AutoCallable):
                warnings.warn(
                    f"Part '{name}' of the AutoGuideList, {type(part).__name__}, covers no site: "
                    "check the names given to poutine.block.",
                    stacklevel=2,
                )
        if self.master is not None:
            return
        for name, site in self._sites():
            if name not in claims and not site["infer"].get("enumerate"):
                warnings.warn(
                    f"No part of the AutoGuideList covers latent site '{name}': it would be drawn "
                    "from its prior. Add a part for it, or enumerate it.",
                    stacklevel=2,
                )

    def median(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """The posterior medians that the parts give, put together; shapes are full-size."""
        return self._gather(lambda part: part.median(*args, **kwargs), *args, **kwargs)

    def quantiles(
        self, quantiles: Tensor | Iterable[float], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """The posterior quantiles that the parts give, put together; see `AutoGuide.quantiles`."""
        probabilities = quantiles if isinstance(quantiles, Tensor) else list(quantiles)
        return self._gather(
            lambda part: part.quantiles(probabilities, *args, **kwargs), *args, **kwargs
        )

    def sample_posterior(self, num_samples: int, /, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Draw from all parts; see `AutoGuide.sample_posterior`."""
        self._ensure_prototype(*args, **kwargs)
        for _, part in self._parts():
            if not isinstance(part, AutoCallable):
                part._ensure_prototype(*args, **kwargs)
        if any(part._sources() for part in self.modules() if isinstance(part, AutoGuide)):
            # Draws of one part move those of another: all must be drawn together.
            return super().sample_posterior(num_samples, *args, **kwargs)
        return self._gather(
            lambda part: part.sample_posterior(num_samples, *args, **kwargs), *args, **kwargs
        )

    def _covered_sites(self) -> Iterator[tuple[str, Site]]:
        """The latent sites of the parts; those of a hand-written part are known to it alone."""
        for _, part in self._parts():
            if part.prototype_trace is not None:
                yield from part._covered_sites()

    def _score(self, draws: dict[str, Tensor], /, *args: Any, **kwargs: Any) -> Tensor:
        scores = [part._score(draws, *args, **kwargs) for _, part in self._parts()]
        return torch.stack(scores).sum(0)

    def _gather(
        self, summarise: Callable[[AutoGuide], dict[str, Tensor]], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Put the parts' summaries together; later parts may look at those of earlier ones."""
        self._ensure_prototype(*args, **kwargs)
        root = self._root()
        result: dict[str, Tensor] = {}
        try:
            for _, part in self._parts():
                summary = summarise(part)
                result.update(summary)
                root._emitted.update(summary)
        finally:
            if root is self:
                self._emitted = {}
        return result


class _Claims(Messenger):
    """Notes which part emits which site, and refuses a site that another part has emitted."""

    def __init__(self, claims: dict[str, str], part: str) -> None:
        super().__init__()
        self.claims, self.part = claims, part

    def _pyro_sample(self, msg: Site) -> None:
        if is_not_latent(msg) or msg["infer"].get("is_auxiliary"):
            return
        other = self.claims.setdefault(msg["name"], self.part)
        if other != self.part:
            raise ValueError(
                f"Two parts of the AutoGuideList cover site '{msg['name']}': {other} and "
                f"{self.part}. Restrict one of them with poutine.block."
            )
