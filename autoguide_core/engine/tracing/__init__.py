"""From Python functions to graphs of tensor operations."""

from autoguide_core.engine.tracing.trace import trace_function

__all__ = ["trace_function"]
