"""Hostile and odd data: bound rightly or refused by name, and edge cases with known posteriors."""
