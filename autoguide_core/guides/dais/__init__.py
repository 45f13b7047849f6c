"""Guides by differentiable annealed importance sampling."""
