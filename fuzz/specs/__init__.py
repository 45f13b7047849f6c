"""Mutated and generated specs: a clear error or right code, and never worse."""
