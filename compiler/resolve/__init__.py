"""Resolution: from a syntax tree to the IR, telling everything that is wrong on the way."""

from compiler.resolve.program import resolve

__all__ = ["resolve"]
