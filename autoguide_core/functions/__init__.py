"""Functions that models call and torch does not have; for hand-written models as well."""
