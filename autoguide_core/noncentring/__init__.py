"""Partial non-centring: latents drawn relative to what their parents and the data say of them."""

from autoguide_core.noncentring.maps import Conditional
from autoguide_core.noncentring.priors import LocationScale, location_scale
from autoguide_core.noncentring.sites import Follower, FollowerFinder

__all__ = ["Conditional", "Follower", "FollowerFinder", "LocationScale", "location_scale"]
