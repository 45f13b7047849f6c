"""Compile a declarative probabilistic spec to Pyro, and fit it, from Python.

>>> import pplc
>>> spec = pplc.load("eight_schools.ppl")
>>> fit = spec.fit("eight_schools.csv", seed=1)
>>> fit.summary()

`fit.idata` is the posterior as ArviZ InferenceData, and `fit.save("folder")` writes it down. In a
notebook, specs and fits show themselves. Importing this module does not import torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compiler.diagnostics import Diagnostic, Diagnostics, SpecError

if TYPE_CHECKING:
    from compiler.binding import BoundData
    from compiler.compare import Comparison
    from compiler.ir import Program
    from compiler.pipeline import Compilation
    from compiler.run import Fit

__all__ = ["Spec", "SpecError", "fit_many", "load", "loads"]


def load(path: str | Path) -> Spec:
    """Compile a spec, or an IR file that `pplc emit ir` wrote.

    Raises:
        SpecError: If it cannot be read, or has errors.
    """
    from compiler.pipeline import compile_file

    return Spec(compile_file(path))


def loads(text: str, name: str = "<spec>") -> Spec:
    """Compile the text of a spec.

    Args:
        text: The spec.
        name: What messages and emitted comments call it.

    Raises:
        SpecError: If it has errors.
    """
    from compiler.pipeline import compile_text

    return Spec(compile_text(text, name))


def fit_many(
    spec: Spec, data_sets: Sequence[Any], *, progress: bool = True, **options: Any
) -> list[Fit]:
    """Fit one spec to several sets of data of the same sizes, all by the same compiled steps.

    Args:
        spec: The spec.
        data_sets: The data of each fit, as `Spec.fit` takes them.
        progress: Whether to show a progress bar.
        **options: Those of `Spec.fit`, the same for all, without `checkpoint` and `restarts`.

    Returns:
        The fits, in the order of the data; each is that of `spec.fit`, but for rounding.

    Raises:
        SpecError: If some data, an option, or one of the fits is at fault; it says which.
    """
    from compiler.run import fit_data_sets

    return fit_data_sets(
        spec.program, data_sets, diagnostics=spec._diagnostics(), progress=progress, **options
    )


class Spec:
    """A compiled spec; made by `load` and `loads`.

    Attributes:
        program: The checked program, in the intermediate representation.
        path: The file, as given.
        text: Its text.
    """

    def __init__(self, compilation: Compilation) -> None:
        compilation.diagnostics.raise_errors()
        assert compilation.program is not None, "a compilation without errors has a program"
        self.program: Program = compilation.program
        self.path = compilation.diagnostics.path
        self.text = compilation.diagnostics.text
        self._told = tuple(compilation.diagnostics)

    def check(self) -> tuple[Diagnostic, ...]:
        """Return what the compiler has to tell of the spec: warnings, as it has no errors."""
        return self._told

    def model_source(self) -> str:
        """Return the Pyro model as Python source."""
        from compiler.emit import emit_model

        return emit_model(self.program)

    def guide_source(self, guide: str | None = None) -> str:
        """Return a guide, the first by default, as Python source."""
        from compiler.emit import emit_guide

        return emit_guide(self.program, guide=guide)

    def bind(
        self,
        data: Any = None,
        *,
        mapping: Mapping[str, str] | None = None,
        sizes: Mapping[str, int] | None = None,
    ) -> BoundData:
        """Bind data without fitting, to see what becomes of them.

        Args:
            data: A dict, a pandas DataFrame, an xarray Dataset, a file's path, or several.
            mapping: From a column or key of the data to the spec's name.
            sizes: Sizes of dims that the data do not tell.

        Raises:
            SpecError: If the data do not fit the spec; it tells all that is wrong.
        """
        from compiler.binding import bind

        return bind(
            self.program, data, mapping=mapping, sizes=sizes, diagnostics=self._diagnostics()
        )

    def fit(self, data: Any = None, *, progress: bool = True, **options: Any) -> Fit:
        """Fit the spec to data.

        Args:
            data: A dict, a pandas DataFrame, an xarray Dataset, a file's path, or several.
            progress: Whether to show a progress bar.
            **options: `guide`, `seed`, `steps`, `draws`, `device`, `dtype`, `sizes`, `mapping`,
                `log_likelihood`, `allow_callables`, `checkpoint`, `restarts`, or any
                setting of a `fit` block.

        Returns:
            The fit, with `summary()`, `idata`, `elbo`, `khat`, `verdict` and `save(folder)`.

        Raises:
            SpecError: If the data, an option, or the fit itself is at fault.
        """
        from compiler.run import fit_program

        return fit_program(
            self.program, data, diagnostics=self._diagnostics(), progress=progress, **options
        )

    def compare(self, data: Any = None, *, progress: bool = True, **options: Any) -> Comparison:
        """Fit the spec to data, and draw from the same posterior by NUTS: a second opinion.

        Needs the package nutpie: `pip install 'pplc[sampling]'`.

        Args:
            data: As for `fit`.
            progress: Whether to show a progress bar.
            **options: `chains` (4), `draws` (1,000 for each chain), `tune` (1,000 before them),
                `target_accept` (0.9), `guide`, `seed`, `sizes`, `mapping`, `allow_callables`, or
                any setting of a `fit` block.

        Returns:
            The comparison, with `table`, `verdict`, `agrees`, `nuts`, `fit`, `plot()` and
            `save(folder)`.

        Raises:
            SpecError: If the data, an option, the fit or the sampling is at fault.
        """
        from compiler.compare import compare_program

        return compare_program(
            self.program, data, diagnostics=self._diagnostics(), progress=progress, **options
        )

    def _diagnostics(self) -> Diagnostics:
        return Diagnostics(self.path, self.text)

    def __repr__(self) -> str:
        return f"<Spec {self.program.name} of {self.path}>"

    def _repr_html_(self) -> str:
        from compiler.run.html import spec_html

        return spec_html(self.text, self.program)
