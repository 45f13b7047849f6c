"""Joint normals in blocks: one covariance for each element of a plate."""

from autoguide_core.guides.batched.lowrank import AutoBatchedLowRankMultivariateNormal
from autoguide_core.guides.batched.multivariate import AutoBatchedMultivariateNormal

__all__ = ["AutoBatchedLowRankMultivariateNormal", "AutoBatchedMultivariateNormal"]
