"""The table of distributions: all that a spec can draw from.

Rows are plain data, grouped by kind of support in `compiler.tables.distribution_rows`; to add one,
write a row there, and `tests/tables/test_distribution_rows.py` holds it against Pyro's class.

Left out of what `pyro.distributions` exports, on purpose:

- the plumbing of other distributions: `Delta`, `Empirical`, `ExpandedDistribution`,
  `FoldedDistribution`, `Independent`, `MaskedDistribution`, `MaskedMixture`, `MixtureSameFamily`,
  `Rejector`, `SineSkewed`, `TransformedDistribution`, `Unit`, `ZeroInflatedDistribution`
  (modifiers and statements of the language do their work: `truncated`, `factor`, a marginalised
  `Categorical`, and `Mixture`, `Point` among its components);
- `ImproperUniform`, which fails under most init strategies: `Flat` is the language's own;
- the hidden Markov models and random fields (`DiscreteHMM`, `GaussianHMM`, `GammaGaussianHMM`,
  `IndependentHMM`, `LinearHMM`, `GaussianMRF`), which the language writes `HMM(...) over dim` or
  `recur`;
- duplicates of others for tuning an estimator's variance or for gaps in data:
  `AVFMultivariateNormal`, `OMTMultivariateNormal`, `OneHotCategoricalStraightThrough`,
  `RelaxedBernoulliStraightThrough`, `RelaxedOneHotCategoricalStraightThrough`,
  `NanMaskedNormal`, `NanMaskedMultivariateNormal`, and `LKJCorrCholesky`, which Pyro deprecates;
- mixtures with fixed shapes of their own (`GaussianScaleMixture`, `MixtureOfDiagNormals`,
  `MixtureOfDiagNormalsSharedCovariance`, `GroupedNormalNormal`): a marginalised `Categorical`
  says the same;
- `LKJ` (`LKJCholesky` is the faster and stabler form) and `SoftAsymmetricLaplace`, which lack
  `expand` in Pyro 1.9.2 and so fail in every plate;
- `Stable`, which has no density (`StableWithLogProb` has), and `GeneralizedPareto`, whose support
  ends on a bound that depends on the sign of a parameter;
- `LogisticNormal`, whose draws have one entry more than its parameters, so that no named dim fits
  both: `softmax` of a normal vector is the usual form;
- `TruncatedPolyaGamma`, an auxiliary variable of Gibbs samplers, and the combinatorial and
  genetic ones: `CoalescentTimes`, `CoalescentTimesWithRate`, `OneOneMatching`, `OneTwoMatching`,
  `SpanningTree`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from compiler.tables.distribution_row import DistributionRow
from compiler.tables.distribution_rows import (
    bounded,
    discrete,
    flat,
    mixtures,
    multivariate,
    positive,
    real,
)

KINDS: Mapping[str, tuple[DistributionRow, ...]] = MappingProxyType(
    {
        "On the real line": real.ROWS,
        "On positive numbers": positive.ROWS,
        "On an interval": bounded.ROWS,
        "On whole numbers and classes": discrete.ROWS,
        "On vectors and matrices": multivariate.ROWS,
        "Mixtures": mixtures.ROWS,
        "Improper": flat.ROWS,
    }
)
"""The rows by kind, in the order of the reference."""

DISTRIBUTIONS: Mapping[str, DistributionRow] = MappingProxyType(
    {row.name: row for rows in KINDS.values() for row in rows}
)
"""All rows, by name."""
