"""Emits `recur`: what needs no earlier step of itself is vectorised, circles are solved."""
