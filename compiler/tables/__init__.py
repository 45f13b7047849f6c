"""Declarative tables: distributions, functions, guide families, init strategies, fit settings."""
