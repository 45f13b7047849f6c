"""From draws of a Gaussian to draws of a posterior, by annealing with Hamiltonian moves."""

from autoguide_core.annealing.anneal import Annealed, anneal

__all__ = ["Annealed", "anneal"]
