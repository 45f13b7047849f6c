"""Emission: from the IR to Python source that a person reviews and stock Pyro runs."""
