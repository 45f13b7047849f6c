"""Diagnostics: what the compiler tells about a spec, each with a stable code."""

from compiler.diagnostics.codes import CODES, Code, Severity
from compiler.diagnostics.diagnostic import Diagnostic, Diagnostics, SpecError
from compiler.diagnostics.suggest import did_you_mean

__all__ = ["CODES", "Code", "Diagnostic", "Diagnostics", "Severity", "SpecError", "did_you_mean"]
