"""Sums over all values of the sites that a model enumerates, exact and inside their plates.

Log densities are *packed*: each dim has a letter, kept in the attribute ``_pyro_dims``, and dims of
size one are left out. A plate has one letter in guide and model; each enumerated site has its own.

Source: Obermeyer et al., "Tensor variable elimination for plated factor graphs" (2019).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pyro.infer.util import is_validation_enabled
from pyro.ops import packed
from pyro.ops.contract import contract_tensor_tree
from pyro.ops.rings import LogRing
from pyro.poutine import Trace
from torch import Tensor

from autoguide_core.engine.errors import FitError
from autoguide_core.engine.estimators.particles import Pair, Site


@dataclass(frozen=True)
class Term:
    """A part of a log density.

    Attributes:
        plates: The letters of the plates it stands in.
        value: The part in nats, packed.
    """

    plates: frozenset[str]
    value: Any

    @property
    def dims(self) -> frozenset[str]:
        """The letters of the dims."""
        return frozenset(self.value._pyro_dims)


def plate_letters(trace: Trace, site: Site) -> frozenset[str]:
    """The letters of the plates around a site of a packed trace."""
    stack = site["cond_indep_stack"]
    return frozenset(trace.plate_to_symbol[frame.name] for frame in stack if frame.vectorized)


def model_terms(pair: Pair) -> Iterable[Term]:
    """The log density of the model, the sites that it enumerates itself summed out.

    Args:
        pair: Packed traces.

    Raises:
        FitError: If the sites of one sum have different scales.
        NotImplementedError: If a sum cannot be done inside of its plates.
    """
    sites = dict(pair.model_sites())
    terms = {
        name: Term(plate_letters(pair.model, site), site["packed"]["log_prob"])
        for name, site in sites.items()
    }
    drawn = {d for _, site in pair.guide_sites() for d in site["packed"]["log_prob"]._pyro_dims}
    plates = {letter for term in terms.values() for letter in term.plates}
    own = [n for n in sites if n not in pair.guide and "_enumerate_dim" in sites[n]["infer"]]
    summed = {letter for name in own for letter in terms[name].dims} - plates - drawn
    tied = {name: term.dims & summed for name, term in terms.items() if term.dims & summed}
    yield from (term for name, term in terms.items() if name not in tied)
    for names in _components(tied):
        factors: OrderedDict[frozenset[str], list[Tensor]] = OrderedDict()
        for name in names:
            mask = None if name in own else sites[name]["packed"]["mask"]
            factor = packed.scale_and_mask(sites[name]["packed"]["unscaled_log_prob"], mask=mask)
            factors.setdefault(terms[name].plates, []).append(factor)
        # Masks count inside of the sum, scales outside: a minibatch stands for more elements of
        # its plate, each with a sum of its own.
        scale = _common_scale({name: sites[name]["scale"] for name in names})
        letters = {letter for name in names for letter in tied[name]}
        for stack, values in contract_tensor_tree(factors, letters, ring=LogRing()).items():
            for value in values:
                yield Term(stack, packed.scale_and_mask(value, scale=scale))


def _components(tied: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """Sites grouped by the sum they belong to, each group in the order of the model.

    Args:
        tied: By site, the letters of the enumerated dims that it has.
    """
    groups: list[tuple[list[str], frozenset[str]]] = []
    for name, letters in tied.items():
        touched = [group for group in groups if group[1] & letters]
        groups = [group for group in groups if not group[1] & letters]
        names = [other for group in touched for other in group[0]]
        groups.append(([*names, name], letters.union(*(group[1] for group in touched))))
    return [[name for name in tied if name in names] for names, _ in groups]


def _common_scale(scales: Mapping[str, Any]) -> Any:
    """The one scale of all sites in a sum; tensors are compared while Pyro validates alone."""
    first, *others = scales
    are_numbers = not any(isinstance(scale, Tensor) for scale in scales.values())
    if are_numbers or is_validation_enabled():
        for other in others:
            if float(scales[other]) != float(scales[first]):
                raise FitError(
                    f"sites {first!r} and {other!r} depend on the same enumerated site, but have "
                    f"the scales {float(scales[first]):g} and {float(scales[other]):g}; a sum over "
                    "its values needs one scale: put all of them into the same subsampled plates",
                    site=other,
                )
    return scales[first]
