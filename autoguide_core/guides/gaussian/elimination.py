"""In which order a plated Gaussian's variables are eliminated: the plan of a sparse Cholesky.

A *front* eliminates some latents at once: it adds up all terms that look at them, factorises their
block of the precision, and leaves a new term over the latents that met them (the multifrontal
method of Duff and Reid 1983, https://doi.org/10.1145/356044.356047). Latents in a plate are
eliminated for all elements of the plate in one batch of small matrices, so that a plate costs in
proportion to its size. This is tensor variable elimination in plates (Obermeyer et al. 2019,
https://arxiv.org/abs/1902.03210), except that nothing is ever intractable: where terms tie the
elements of a plate together, the plate is broken, that is, treated as one larger event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from autoguide_core.guides.gaussian.layout import Layout

# So few remaining dimensions are quicker done in one dense front than in several sparse ones.
DENSE_BELOW = 24


@dataclass(frozen=True)
class Term:
    """A quadratic term, replicated over plates: which variables it looks at, in which order."""

    plates: frozenset[str]
    variables: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """How a term is added into a front.

    Attributes:
        term: The number of the term: factors first, then the terms that fronts leave.
        vector: Flat positions in the front's vectors, one for each entry of the term's.
        matrix: Flat positions in the front's matrices, one for each entry of the term's.
    """

    term: int
    vector: Tensor
    matrix: Tensor


@dataclass(frozen=True)
class Front:
    """One step of the elimination.

    Attributes:
        eliminated: The latents that are eliminated.
        num_eliminated: How many columns of ``index`` are theirs, m.
        index: Positions in the packed vector, shape (B, n): one row for each element of the plates,
            eliminated entries first.
        sources: The terms that are added up.
    """

    eliminated: tuple[str, ...]
    num_eliminated: int
    index: Tensor
    sources: tuple[Source, ...]

    def on(self, device: torch.device) -> Front:
        """The same with its positions on a device."""
        sources = (
            replace(source, vector=source.vector.to(device), matrix=source.matrix.to(device))
            for source in self.sources
        )
        return replace(self, index=self.index.to(device), sources=tuple(sources))


def dense_plan(layout: Layout, factors: Sequence[Term]) -> tuple[Front, ...]:
    """Eliminate everything in one front: an ordinary Cholesky factorisation."""
    term = Term(frozenset(), tuple(layout.variables))
    return (_front(layout, term, len(layout.variables), dict(enumerate(factors))),)


def structured_plan(layout: Layout, factors: Sequence[Term]) -> tuple[Front, ...]:
    """Eliminate latents from the inside of plates outwards, for all elements of a plate at once.

    Args:
        layout: The packed vector.
        factors: The terms that the precision is the sum of.

    Returns:
        The fronts in the order of elimination; each latent is eliminated in one of them.
    """
    terms = dict(enumerate(factors))
    remaining = dict.fromkeys(layout.variables)
    fronts: list[Front] = []
    while remaining:
        joined, num_eliminated = _next_front(layout, terms, tuple(remaining))
        front = _front(layout, joined, num_eliminated, terms)
        for source in front.sources:
            del terms[source.term]
        if num_eliminated < len(joined.variables):
            left = Term(joined.plates, joined.variables[num_eliminated:])
            terms[len(factors) + len(fronts)] = left
        fronts.append(front)
        for name in front.eliminated:
            del remaining[name]
    return tuple(fronts)


def _next_front(
    layout: Layout, terms: Mapping[int, Term], remaining: tuple[str, ...]
) -> tuple[Term, int]:
    """What to eliminate next: the variables of the front, and how many of them go.

    Latents that can be batched over the most plates go first, as they leave the smallest terms;
    among these the cheapest. Or all that remain, where that is cheaper still.
    """
    size = sum(layout.width(name, frozenset()) for name in remaining)
    everything = Term(frozenset(), remaining), len(remaining)
    if size <= DENSE_BELOW:
        return everything
    candidates = []
    for group, plates in _groups(layout, terms, remaining):
        met = _neighbours(terms, set(group))
        rest = tuple(name for name in remaining if name in met and name not in group)
        cost = _cost(layout, group, rest, plates)
        if cost < size**3:
            candidates.append((-len(plates), cost, (Term(plates, group + rest), len(group))))
    return min(candidates, key=lambda candidate: candidate[:2])[2] if candidates else everything


def _groups(
    layout: Layout, terms: Mapping[int, Term], remaining: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
    """Latents that can be eliminated together, with the plates they can be batched over.

    A latent can be batched over those of its plates that every term that looks at it is in.
    """
    unbroken = {}
    for name in remaining:
        plates = [term.plates for term in terms.values() if name in term.variables]
        unbroken[name] = layout.variables[name].plates.intersection(*plates)
    seen: set[str] = set()
    for name in remaining:
        if name in seen:
            continue
        group, new = {name}, {name}
        while new:
            met = _neighbours(terms, new) - group
            new = {v for v in met if unbroken[v] == unbroken[name]}
            group |= new
        seen |= group
        yield tuple(v for v in remaining if v in group), unbroken[name]


def _neighbours(terms: Mapping[int, Term], group: set[str]) -> set[str]:
    """The variables of all terms that look at one of a group, the group included."""
    found = [term.variables for term in terms.values() if not group.isdisjoint(term.variables)]
    return group.union(*found)


def _cost(
    layout: Layout, group: tuple[str, ...], rest: tuple[str, ...], plates: frozenset[str]
) -> int:
    own = sum(layout.width(name, plates) for name in group)
    front = own + sum(layout.width(name, plates) for name in rest)
    return layout.count(plates) * own * front**2


def _front(layout: Layout, joined: Term, num_variables: int, terms: Mapping[int, Term]) -> Front:
    """Make the front that eliminates the first variables of ``joined``."""
    plates, eliminated = joined.plates, joined.variables[:num_variables]
    index = layout.index(joined.variables, plates)
    width = index.shape[-1]
    # An entry has the same column in every row of the index that it occurs in.
    columns = torch.zeros(layout.size, dtype=torch.long)
    columns[index] = torch.arange(width).expand_as(index)
    sources = []
    for number, term in terms.items():
        if set(eliminated).isdisjoint(term.variables):
            continue
        rows = layout.batches(plates, term.plates)
        position = columns[layout.index(term.variables, term.plates)]
        vector = rows[:, None] * width + position
        matrix = vector[:, :, None] * width + position[:, None, :]
        sources.append(Source(number, vector.reshape(-1), matrix.reshape(-1)))
    num_eliminated = sum(layout.width(name, plates) for name in eliminated)
    return Front(eliminated, num_eliminated, index, tuple(sources))
