"""From graphs of tensor operations to C++, and from there to steps that run natively."""
