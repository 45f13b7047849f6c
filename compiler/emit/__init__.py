"""Emission: from the IR to readable Pyro source."""

from compiler.emit.module import emit_guide, emit_model, emit_module

__all__ = ["emit_guide", "emit_model", "emit_module"]
