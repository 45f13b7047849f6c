"""Where emitted code stands: the plates around it, and what it has made the module need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from compiler.emit.angles import Angles, used_as_numbers
from compiler.emit.imports import Import
from compiler.emit.names import sizes_taken
from compiler.ir import Function, Program
from compiler.ir.axes import Sizes
from compiler.ir.types import Axis
from compiler.tables.reserved import python_name


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
        function_sizes: For each function of the spec, the parameters that take sizes, by dim.
        plates: Active plates, outermost first, with their minibatch or None.
        step: The dim of a `recur` of which the code stands for a single step, or None.
        step_name: What that step is called.
        listed: Values that are lists of their steps there.
        states: The states of each hidden chain, which are an axis of what depends on it.
        size_names: What sizes are called here, by dim, where they do not have the dim's name.
        as_numbers: Latent angles of which it matters of which turn they are.
        uneven: Whether values may lack left dims that others of their type have: those of first
            steps do, in the loop of a `recur` and in the functions that it calls.
    """

    numbers: dict[str, int]
    sizes: Sizes
    needs: Needs
    function_sizes: dict[str, dict[str, str]]
    plates: dict[str, int | None] = field(default_factory=dict)
    step: str | None = None
    step_name: str = "step"
    listed: frozenset[str] = frozenset()
    states: dict[str, Axis] = field(default_factory=dict)
    size_names: dict[str, str] = field(default_factory=dict)
    as_numbers: Angles = frozenset()
    uneven: bool = False

    @classmethod
    def outside(cls, program: Program, needs: Needs) -> Place:
        """Return the place outside all plates."""
        return cls(
            {dim.name: dim.plate for dim in program.dims if dim.plate is not None},
            Sizes({dim.name: dim.size for dim in program.dims if dim.size is not None}),
            needs,
            sizes_taken(program),
            states={s.name: s.states for s in program.sites() if s.states is not None},
            as_numbers=used_as_numbers(program),
        )

    def size(self, dim: str) -> str:
        """Return the variable that holds the size of a dim."""
        self.needs.names.add(dim)
        return self.size_names.get(dim, python_name(dim))

    def sizes_for(self, function: str) -> Iterator[tuple[str, str]]:
        """Yield each parameter of a function of the spec that takes a size, and that size."""
        for dim, parameter in self.function_sizes[function].items():
            yield parameter, self.size(dim)

    def in_function(self, function: Function) -> Place:
        """Return the place in a function of the spec, with all plates of its arguments."""
        plates = sorted({plate for t in function.types for plate in t.batch})
        return replace(self.among(tuple(plates)), size_names=self.function_sizes[function.name])

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
