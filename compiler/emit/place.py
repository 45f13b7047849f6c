"""Where emitted code stands: the plates around it, and what it has made the module need."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from compiler.emit.imports import Import
from compiler.emit.names import read_by
from compiler.ir import Function, Program
from compiler.ir.axes import Sizes
from compiler.ir.types import Axis


@dataclass
class Needs:
    """What the emitted code uses, gathered while it is written.

    Attributes:
        imports: What the module has to import.
        names: Names of the spec that are read.
    """

    imports: set[Import] = field(default_factory=set)
    names: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Place:
    """A place in the emitted module.

    Attributes:
        numbers: Pyro's number of each plate of the program.
        sizes: What is known of dims' sizes.
        needs: Gathers what the code uses.
        function_dims: Dims that each function of the spec takes besides its parameters.
        plates: Active plates, outermost first, with their minibatch or None.
        step: The dim of a `recur` of which the code stands for a single step, or None.
        step_name: What that step is called.
        listed: Values that are lists of their steps there.
        states: The states of each hidden chain, which are an axis of what depends on it.
        uneven: Whether values may lack left dims that others of their type have: those of first
            steps do, in the loop of a `recur` and in the functions that it calls.
    """

    numbers: dict[str, int]
    sizes: Sizes
    needs: Needs
    function_dims: dict[str, tuple[str, ...]]
    plates: dict[str, int | None] = field(default_factory=dict)
    step: str | None = None
    step_name: str = "step"
    listed: frozenset[str] = frozenset()
    states: dict[str, Axis] = field(default_factory=dict)
    uneven: bool = False

    @classmethod
    def outside(cls, program: Program, needs: Needs) -> Place:
        """Return the place outside all plates."""
        return cls(
            {dim.name: dim.plate for dim in program.dims if dim.plate is not None},
            Sizes({dim.name: dim.size for dim in program.dims if dim.size is not None}),
            needs,
            {function.name: dims_of(function, program) for function in program.functions},
            states={s.name: s.states for s in program.sites() if s.states is not None},
        )

    def inside(self, plate: str, minibatch: int | None) -> Place:
        """Return the place inside one more plate."""
        return replace(self, plates={**self.plates, plate: minibatch})

    def at_step(self, dim: str, listed: frozenset[str]) -> Place:
        """Return the place inside a loop over the steps of a `recur`."""
        return replace(self, step=dim, listed=listed, step_name=f"{dim}_step", uneven=True)

    def whole(self) -> Place:
        """Return the same place outside that loop."""
        return replace(self, step=None)

    def among(self, plates: tuple[str, ...]) -> Place:
        """Return the place inside these plates, none of them minibatched."""
        return replace(self, plates=dict.fromkeys(plates))


def dims_of(function: Function, program: Program) -> tuple[str, ...]:
    """Return the dims whose sizes a function of the spec reads."""
    read = read_by(function)
    return tuple(dim.name for dim in program.dims if dim.name in read)
