"""Faults around the command line: signals, kills, odd files, files that change during a fit."""
