"""The init strategies: a row each. Adding one here makes the language, checks and docs know it."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.tables.options import Option


@dataclass(frozen=True, slots=True)
class InitStrategy:
    """A way to choose where a latent site starts.

    Attributes:
        name: Its name in a spec.
        function: The Pyro function that it becomes.
        doc: What it does, in one line.
        options: Its keyword arguments.
        takes_path: Whether it names a Python function, as "module:function".
        needs_values: Whether `at` must name every site of the part.
    """

    name: str
    function: str
    doc: str
    options: tuple[Option, ...] = ()
    takes_path: bool = False
    needs_values: bool = False

    def option(self, name: str) -> Option | None:
        """Return the option called `name`, None where there is none."""
        return next((option for option in self.options if option.name == name), None)


_ROWS = (
    InitStrategy(
        "feasible",
        "init_to_feasible",
        "A fixed point of the support: the image of zero under the transform to it. The prior's "
        "parameters play no part.",
    ),
    InitStrategy("sample", "init_to_sample", "One draw from the prior."),
    InitStrategy(
        "median",
        "init_to_median",
        "The median of draws from the prior; `feasible` for sites of several entries.",
        (Option("num_samples", "int", 15, "How many draws the median is taken over.", least=1),),
    ),
    InitStrategy(
        "mean",
        "init_to_mean",
        "The prior mean; `median` where there is none (a Cauchy, say).",
    ),
    InitStrategy(
        "uniform",
        "init_to_uniform",
        "A uniform draw from a box around zero in unconstrained space.",
        (Option("radius", "real", 2.0, "Half the width of the box.", least=0, strict=True),),
    ),
    InitStrategy(
        "value",
        "init_to_value",
        "Only the values that `at { … }` gives; it must name every site of the part.",
        needs_values=True,
    ),
    InitStrategy(
        "generated",
        "init_to_generated",
        'A Python function, named as `"module:function"`, that makes a strategy for each start.',
        takes_path=True,
    ),
)

INITS: dict[str, InitStrategy] = {row.name: row for row in _ROWS}

FOREIGN_INITS: dict[str, str] = {
    "zero": "feasible",
    "zeros": "feasible",
    "prior": "sample",
    "random": "uniform",
    "values": "value",
    "generate": "generated",
}
"""What people call a strategy elsewhere, with its name here."""
