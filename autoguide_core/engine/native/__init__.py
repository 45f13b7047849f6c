"""From graphs of tensor operations to C++, and from there to steps that run natively.

``lowering`` turns each operation into statements, which ``builder`` puts into ``program``'s
kernels, fused where it can; ``source`` writes the program as C++; ``toolchain``, ``cache`` and
``compilation`` make a library of it; ``runner`` runs that.
"""

from autoguide_core.engine.native.start import start_native

__all__ = ["start_native"]
