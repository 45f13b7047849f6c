"""Fuzzing: random and hostile input for every part, and programs that keep what goes wrong."""
