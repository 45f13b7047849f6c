"""The compiler: from a syntax tree to checked IR, emitted Pyro source and a fit."""
