"""Loads emitted source as a module whose tracebacks show its text, and lead back to the spec."""

from __future__ import annotations

import inspect
import linecache
import re
import traceback
import types
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

from compiler.tables.reserved import python_name

_PLACE = re.compile(r"#\s+\S*:(\d+)\b")


class EmittedModule:
    """An emitted module, executed.

    Attributes:
        source: Its text.
        filename: What tracebacks call it.
    """

    def __init__(self, source: str, filename: str, module: types.ModuleType) -> None:
        self.source = source
        self.filename = filename
        self._module = module

    def __contains__(self, name: str) -> bool:
        return callable(getattr(self._module, name, None))

    def function(self, name: str) -> Callable[..., Any]:
        """Return the function called `name`; KeyError where there is none."""
        if name not in self:
            raise KeyError(name)
        function: Callable[..., Any] = getattr(self._module, name)
        return function

    def arguments(self, name: str, environment: Mapping[str, Any]) -> dict[str, Any]:
        """Return those values of an environment that a function has parameters for.

        Args:
            name: The function.
            environment: Values by their names in the spec.

        Returns:
            Values by the names of the parameters.

        Raises:
            KeyError: A parameter without a default is not in the environment.
        """
        parameters = inspect.signature(self.function(name)).parameters.values()
        variables = {python_name(own): value for own, value in environment.items()}
        return {
            parameter.name: variables[parameter.name]
            for parameter in parameters
            if parameter.name in variables or parameter.default is inspect.Parameter.empty
        }

    def call(self, name: str, environment: Mapping[str, Any]) -> Any:
        """Call a function with the values that it has parameters for."""
        return self.function(name)(**self.arguments(name, environment))

    def spec_line(self, error: BaseException) -> int | None:
        """Return the line of the spec whose code raised an error, from 1.

        It is that of the last place comment at or above the innermost line of the emitted text
        in the traceback; None where the error does not come from the emitted text.
        """
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == self.filename]
        if not lines or lines[-1] is None:
            return None
        text = self.source.splitlines()
        for line in reversed(text[: lines[-1]]):
            if place := _PLACE.search(line):
                return int(place[1])
        return None


def load_module(source: str, path: str) -> EmittedModule:
    """Execute emitted source.

    Args:
        source: The text of the module.
        path: The spec that it comes from.

    Returns:
        The module; its text is registered in `linecache` under `<pplc NAME>`.
    """
    stem = PurePath(path).stem or "spec"
    filename = f"<pplc {stem}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    module = types.ModuleType(f"pplc_emitted_{stem}")
    module.__file__ = filename
    exec(compile(source, filename, "exec"), module.__dict__)
    return EmittedModule(source, filename, module)
