"""Comparison of two programs: what a change of a spec does to the model and to the guide."""

from compiler.diff.changes import Change, changes
from compiler.diff.facts import Facts, facts

__all__ = ["Change", "Facts", "changes", "facts"]
