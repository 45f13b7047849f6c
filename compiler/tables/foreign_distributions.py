"""How the distributions of Stan, BUGS, JAGS, R, PyMC and NumPyro are written here."""

from __future__ import annotations

from collections.abc import Mapping

_INVERSE = "the second argument of `{}` was an inverse scale; write `{}`"
_TRUNCATE = "write `{} truncated(lower = ..., upper = ...)`"
_HIDDEN = (
    "write the chain in `recur time { … }`: `z ~ init Categorical(p) then "
    "Categorical(P[prev(z)])`, and below it what is observed, such as `y ~ Normal(mu[z], sigma)`"
)

BUGS: Mapping[str, str] = {
    "dbern": "write `Bernoulli(probs)`",
    "dbeta": "write `Beta(concentration1, concentration0)`",
    "dbin": "the arguments of `dbin` were (p, n); write `Binomial(n, p)`",
    "dbinom": "write `Binomial(n, p)`",
    "dcat": "write `Categorical(probs)`; classes are counted from 0 here, not from 1",
    "dcauchy": "write `Cauchy(loc, scale)`",
    "dchisq": "write `Chi2(df)`",
    "dchisqr": "write `Chi2(df)`",
    "ddexp": _INVERSE.format("ddexp", "Laplace(mu, 1 / tau)"),
    "ddirch": "write `Dirichlet(concentration)`",
    "ddirich": "write `Dirichlet(concentration)`",
    "dexp": "write `Exponential(rate)`",
    "df": "write `FisherSnedecor(df1, df2)`",
    "dflat": "write `Flat()`",
    "dgamma": "write `Gamma(concentration, rate)`",
    "dgeom": "write `Geometric(probs)`",
    "dhalfcauchy": "write `HalfCauchy(scale)`",
    "dinterval": "write `truncated(...)` or `censored(...)` after the distribution",
    "dlnorm": "the second argument of `dlnorm` was a precision in BUGS and JAGS (a standard "
    "deviation in R); write `LogNormal(mu, 1 / sqrt(tau))`",
    "dlogis": _INVERSE.format("dlogis", "Logistic(mu, 1 / tau)"),
    "dmnorm": "the second argument of `dmnorm` was a precision matrix; "
    "write `MultivariateNormal(mu, precision_matrix = omega)`",
    "dmt": "the second argument of `dmt` was a precision matrix; "
    "write `MultivariateStudentT(df, mu, cholesky(inverse(omega)))`",
    "dmulti": "the arguments of `dmulti` were (p, n); write `Multinomial(n, p)`",
    "dmultinom": "write `Multinomial(n, p)`",
    "dnbinom": "write `NegativeBinomial(total_count, probs)`, where probs is 1 - prob",
    "dnegbin": "the arguments of `dnegbin` were (p, r); write `NegativeBinomial(r, 1 - p)`",
    "dnorm": "the second argument of `dnorm` was a precision in BUGS and JAGS (a standard "
    "deviation in R); write `Normal(mu, 1 / sqrt(tau))`",
    "dpar": "the arguments of `dpar` were (alpha, c); write `Pareto(c, alpha)`",
    "dpois": "write `Poisson(rate)`",
    "dt": "the arguments of `dt` were (mu, tau, df) with a precision; "
    "write `StudentT(df, mu, 1 / sqrt(tau))`",
    "dunif": "write `Uniform(low, high)`",
    "dweib": "the arguments of `dweib` were (v, lambda); "
    "write `Weibull(lambda ** (-1 / v), v)`, the scale first",
    "dweibull": "write `Weibull(scale, concentration)`, the scale first",
    "dwish": "the first argument of `dwish` was an inverse scale matrix R; "
    "write `Wishart(df, precision_matrix = R)`",
}
"""Names of BUGS and JAGS, some shared with R."""

R: Mapping[str, str] = {
    "rbeta": "write `Beta(concentration1, concentration0)`",
    "rbinom": "write `Binomial(total_count, probs)`",
    "rexp": "write `Exponential(rate)`",
    "rgamma": "write `Gamma(concentration, rate)`",
    "rnorm": "write `Normal(loc, scale)`",
    "rpois": "write `Poisson(rate)`",
    "runif": "write `Uniform(low, high)`",
    "lkj": "write `LKJCholesky(dim, concentration)`",
    "horseshoe": "write it out: `z ~ Normal(0, 1)`, `local ~ HalfCauchy(1)`, `b = z * local * tau`",
}
"""Names of R and brms."""

STAN: Mapping[str, str] = {
    "bernoulli_logit": "write `Bernoulli(logits = ...)`",
    "bernoulli_logit_glm": "write `Bernoulli(logits = alpha + dot(X, beta))`",
    "binomial_logit": "write `Binomial(n, logits = ...)`",
    "categorical_logit": "write `Categorical(logits = ...)`; classes are counted from 0 here",
    "chi_square": "write `Chi2(df)`",
    "double_exponential": "write `Laplace(loc, scale)`",
    "gaussian_dlm_obs": "write the state out with `recur`",
    "inv_chi_square": "write `InverseGamma(nu / 2, 0.5)`",
    "inv_gamma": "write `InverseGamma(concentration, rate)`",
    "inv_wishart": "use `LKJCholesky` with scales of its own",
    "lkj_corr": "write `LKJCholesky(dim, concentration)`; `L @ transpose(L)` is the matrix",
    "lkj_corr_cholesky": "write `LKJCholesky(dim, concentration)`",
    "multi_gp": "write `MultivariateNormal(loc, covariance_matrix = ...)`",
    "multi_normal": "write `MultivariateNormal(loc, covariance_matrix)`",
    "multi_normal_cholesky": "write `MultivariateNormal(loc, scale_tril = L)`",
    "multi_normal_prec": "write `MultivariateNormal(loc, precision_matrix = ...)`",
    "multi_student_t": "write `MultivariateStudentT(df, loc, scale_tril)`, "
    "where scale_tril is `cholesky(Sigma)`",
    "neg_binomial": "write `GammaPoisson(alpha, beta)`",
    "neg_binomial_2_log": "write `NegativeBinomial2(exp(eta), phi)`",
    "normal_id_glm": "write `Normal(alpha + dot(X, beta), sigma)`",
    "ordered_logistic": "write `OrderedLogistic(predictor, cutpoints)`; "
    "classes are counted from 0 here",
    "poisson_log": "write `Poisson(exp(...))`",
    "poisson_log_glm": "write `Poisson(exp(alpha + dot(X, beta)))`",
    "scaled_inv_chi_square": "write `InverseGamma(nu / 2, nu * s ** 2 / 2)`",
    "std_normal": "write `Normal(0, 1)`",
    "student_t": "write `StudentT(df, loc, scale)`",
    "von_mises": "write `VonMises(loc, concentration)`",
    "weibull": "the arguments of `weibull` were (alpha, sigma); "
    "write `Weibull(sigma, alpha)`, the scale first",
    "wiener": "pplc has no first-passage time distribution",
}
"""Names of Stan; those that differ only in case or underscores need no row."""

PYMC_AND_NUMPYRO: Mapping[str, str] = {
    "BernoulliLogits": "write `Bernoulli(logits = ...)`",
    "BernoulliProbs": "write `Bernoulli(probs)`",
    "BinomialLogits": "write `Binomial(n, logits = ...)`",
    "BinomialProbs": "write `Binomial(n, probs)`",
    "CategoricalLogits": "write `Categorical(logits = ...)`",
    "CategoricalProbs": "write `Categorical(probs)`",
    "CAR": "write the term out: `factor smooth = -0.5 * tau * ...`",
    "ChiSquared": "write `Chi2(df)`",
    "Censored": "write `censored(...)` after the distribution",
    "Constant": "write `x = value`",
    "AR": "write it out: `recur dim { x ~ init Normal(0, 1) then Normal(phi * prev(x), s) }`",
    "AR1": "write it out: `recur dim { x ~ init Normal(0, 1) then Normal(phi * prev(x), s) }`",
    "Delta": "write `x = value`, or `Point(value)` as a component of a mixture",
    "Dirac": "write `x = value`, or `Point(value)` as a component of a mixture",
    "DiracDelta": "write `x = value`, or `Point(value)` as a component of a mixture",
    "Deterministic": "write `record x = ...`",
    "ExGaussian": "write the two parts out: a normal one plus an exponential one",
    "FoldedDistribution": "write `HalfNormal(scale)` or `HalfCauchy(scale)`",
    "GaussianCopula": "write `MultivariateNormal(loc, scale_tril = L)` and transform its draws",
    "GaussianRandomWalk": "write the walk out with `recur`, or take `cumsum` of normal steps",
    "GeneralizedPareto": "pplc has no generalised Pareto; `Pareto(scale, alpha)` is alike",
    "HalfFlat": "write `Flat(lower = 0)`",
    **dict.fromkeys(
        ("GaussianHMM", "DiscreteHMM", "HiddenMarkov", "HMM", "GammaGaussianHMM"), _HIDDEN
    ),
    **dict.fromkeys(
        ("HalfStudentT", "HalfT"), "write `StudentT(df, 0, scale) truncated(lower = 0)`"
    ),
    "ImproperUniform": "write `Flat()`, or `Flat(lower = 0)`",
    "InverseGaussian": "pplc has no inverse Gaussian; `LogNormal(loc, scale)` is alike",
    "LKJ": "write `LKJCholesky(dim, concentration)`; `L @ transpose(L)` is the matrix",
    "LKJCholeskyCov": "write `LKJCholesky(dim, concentration)` and scales of its own",
    "LKJCorr": "write `LKJCholesky(dim, concentration)`; `L @ transpose(L)` is the matrix",
    "LKJCorrCholesky": "write `LKJCholesky(dim, concentration)`",
    "LogitNormal": "draw `z ~ Normal(loc, scale)` and write `sigmoid(z)`",
    "LogisticNormal": "draw `z[k] ~ Normal(loc, scale)` and write `softmax(z)`",
    "LogUniform": "draw `z ~ Uniform(log(low), log(high))` and write `exp(z)`",
    "MaskedDistribution": "write the term out with `factor`",
    "MixtureGeneral": "write `Mixture(w, [Normal(a, s), StudentT(3, b, t)])`",
    "MixtureSameFamily": "write `Mixture(w, Normal(mu, sigma))`",
    "MvNormal": "write `MultivariateNormal(loc, covariance_matrix)`",
    "MvStudentT": "write `MultivariateStudentT(df, loc, scale_tril)`",
    "NormalMixture": "write `Mixture(w, Normal(mu, sigma))`",
    **dict.fromkeys(
        ("HurdleGamma", "HurdleLogNormal", "ZeroInflatedDistribution"),
        "write `Mixture([p, 1 - p], [Point(0), LogNormal(mu, sigma)])`",
    ),
    "Potential": "write `factor name = ...`",
    "SoftAsymmetricLaplace": "write `AsymmetricLaplace(loc, scale, asymmetry)`",
    "Stable": "write `StableWithLogProb(stability, skew, scale, loc)`",
    "StickBreakingWeights": "draw the `Beta(1, alpha)` fractions and write the products out",
    "TransformedDistribution": "draw from the base and write the function of it",
    "Triangular": "write `Beta(concentration1, concentration0)` and move it to the range",
    "Truncated": _TRUNCATE.format("Normal(loc, scale)"),
    "TruncatedCauchy": _TRUNCATE.format("Cauchy(loc, scale)"),
    "TruncatedNormal": _TRUNCATE.format("Normal(loc, scale)"),
    "Unit": "write `factor name = ...`",
    "Wald": "pplc has no inverse Gaussian; `LogNormal(loc, scale)` is alike",
    "WishartBartlett": "write `Wishart(df, scale_tril = L)`",
    "ZeroInflatedBinomial": "write `Mixture([gate, 1 - gate], [Point(0), Binomial(n, p)])`",
    "ZeroInflatedNegativeBinomial2": "write `Mixture([gate, 1 - gate], [Point(0), "
    "NegativeBinomial2(mu, phi)])`",
    "ZeroSumNormal": "write `center(z)` where `z[k] ~ Normal(0, 1)`",
}
"""Names of PyMC, of NumPyro and of those distributions of Pyro that stay out of the language."""

ENGLISH: Mapping[str, str] = {
    "Gaussian": "write `Normal(loc, scale)`",
    "HalfGaussian": "write `HalfNormal(scale)`",
    "ChiSquare": "write `Chi2(df)`",
    "DoubleExponential": "write `Laplace(loc, scale)`",
    "F": "write `FisherSnedecor(df1, df2)`",
    "InvGamma": "write `InverseGamma(concentration, rate)`",
    "MVN": "write `MultivariateNormal(loc, covariance_matrix)`",
    "NegBinomial": "write `NegativeBinomial(total_count, probs)`",
    "T": "write `StudentT(df, loc, scale)`",
}
"""What people call them."""

DISTRIBUTION_HINTS: Mapping[str, str] = {**ENGLISH, **PYMC_AND_NUMPYRO, **R, **BUGS, **STAN}
"""All of them."""
