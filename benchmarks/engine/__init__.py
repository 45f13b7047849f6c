"""The engine's benchmark: our fits beside NumPyro's and Pyro's, each in processes of their own.

``python -m benchmarks.engine`` compares the three, ``--sweep`` shows how our cost grows with the
data. What is measured, and how, is told in ``benchmarks/README.md``.

=================== ==============================================================================
``rows``            the table of what is measured: model, sizes, guide
``data``            the data of each model, and a point at which densities are compared
``models``          the models in Pyro's language, which ours and Pyro's side share
``numpyro_models``  the same models in NumPyro's
``sides``           how each library fits
``agreement``       whether the sides speak of the same model
``worker``          one measurement in a process of its own
``runner``          starting workers: environment, caches, wall time
``comparison``      all measurements of a row
``table``           the printed tables
``sweep``           the growth of the cost of a step
=================== ==============================================================================
"""
