"""The row type of guide families, and how many parameters they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from compiler.ir.guides import OptionValue
from compiler.tables.options import Option

Count = Callable[[int, Mapping[str, OptionValue]], int]

HIDDEN_FACTORS = (8, 8)
"""The hidden units of a block flow where none are written."""


@dataclass(frozen=True, slots=True)
class Family:
    """A variational family for one part of a guide.

    Attributes:
        name: Its name in a spec and in Pyro.
        doc: What it is, in one line.
        covers: `joint`: one distribution over all its sites; `site`: one for each; `plate`: one
            for each element of the plates, over the sites in the same set of plates.
        holds: The kind of latents it takes.
        default_init: The init strategy where none is written; None where it takes none.
        minibatch: Whether it may hold latents in a minibatched plate.
        alone: Whether it must be the only part of its guide.
        options: Its options, `init_scale` included; each is a constructor argument of that name,
            but those of a flow.
        follows: Whether its sites follow those that their priors depend on, by a weight for each
            entry; see `compiler.tables.hierarchy`.
        in_pyro: Whether Pyro has it, and can make it a part of its own AutoGuideList.
        flow: Whether its options together describe the transform that it is built with.
        formula: The number of its parameters, in words; D is the dimension of its sites, or of
            one element of the plates for a family of the kind `plate`.
        count: The same as a function of D and of the options, without the weights of a family that
            follows; None where it is no such function.
    """

    name: str
    doc: str
    covers: Literal["joint", "site", "plate"]
    holds: Literal["continuous", "discrete"]
    default_init: str | None
    minibatch: bool
    formula: str
    count: Count | None
    alone: bool = False
    options: tuple[Option, ...] = ()
    follows: bool = False
    in_pyro: bool = True
    flow: bool = False

    def option(self, name: str) -> Option | None:
        """Return the option called `name`, None where there is none."""
        return next((option for option in self.options if option.name == name), None)


def rank_of(dimension: int, options: Mapping[str, OptionValue]) -> int:
    """Return the rank of a low-rank covariance: the root of the dimension where none is set."""
    rank = options.get("rank")
    return rank if isinstance(rank, int) else round(dimension**0.5)


def full_rank(dimension: int, options: Mapping[str, OptionValue]) -> int:
    """Count a location, a scale and the triangle below the diagonal."""
    return 2 * dimension + dimension * (dimension - 1) // 2


def block_flows(dimension: int, options: Mapping[str, OptionValue]) -> int:
    """Count an affine layer, and for each flow its masked weights, two vectors a layer, a gate."""
    flows, hidden = options.get("num_flows", 1), options.get("hidden_factors", HIDDEN_FACTORS)
    assert isinstance(flows, int)
    assert isinstance(hidden, tuple)
    widths = (1, *map(int, hidden), 1)
    blocks = sum(before * after for before, after in pairwise(widths))
    layers = dimension * (dimension + 1) // 2 * blocks + 2 * dimension * sum(widths[1:])
    return 2 * dimension + flows * (layers + 1)
