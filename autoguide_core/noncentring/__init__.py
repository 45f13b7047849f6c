"""Partial non-centring: latents drawn relative to what their parents and the data say of them."""

from autoguide_core.noncentring.maps import Conditional
from autoguide_core.noncentring.priors import LocationScale, location_scale

__all__ = ["Conditional", "LocationScale", "location_scale"]
