"""Draws by Markov chains from the density that guides are fitted to: a second opinion on a fit."""

from autoguide_core.sampling.nuts import NutsRun, NutsSettings, require_sampler, sample_nuts

__all__ = ["NutsRun", "NutsSettings", "require_sampler", "sample_nuts"]
