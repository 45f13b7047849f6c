"""Binding: data files, or data in memory, to the checked tensors that a program declares."""

from compiler.binding.bind import bind
from compiler.binding.bound import BoundData
from compiler.binding.mapping import parse_mapping

__all__ = ["BoundData", "bind", "parse_mapping"]
