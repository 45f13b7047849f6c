"""From draws of a base to draws of a posterior, by annealing with Hamiltonian moves."""

from autoguide_core.annealing.anneal import Annealed, anneal
from autoguide_core.annealing.base import Base, NormalMixture, StandardNormal

__all__ = ["Annealed", "Base", "NormalMixture", "StandardNormal", "anneal"]
