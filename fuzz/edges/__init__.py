"""Fits of conjugate models to data at the edges, held against the exact posteriors."""
