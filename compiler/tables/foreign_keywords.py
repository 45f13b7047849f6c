"""Names that other systems give to parameters, and what they are called here."""

from __future__ import annotations

from collections.abc import Collection, Mapping

ALIASES: Mapping[str, tuple[str, ...]] = {
    "a": ("concentration1", "concentration", "low"),
    "alpha": ("concentration1", "concentration", "total_count", "stability", "asymmetry", "alpha"),
    "b": ("concentration0", "rate", "high"),
    "beta": ("concentration0", "rate", "scale", "skew"),
    "c": ("low",),
    "chol": ("scale_tril",),
    "cholesky_factor": ("scale_tril",),
    "concentration_matrix": ("precision_matrix",),
    "cov": ("covariance_matrix",),
    "covariance": ("covariance_matrix",),
    "cutpoint": ("cutpoints",),
    "df": ("df",),
    "dof": ("df",),
    "eta": ("concentration", "predictor"),
    "kappa": ("concentration",),
    "lam": ("rate",),
    "lambda": ("rate",),
    "location": ("loc",),
    "logit": ("logits",),
    "logit_p": ("logits",),
    "lower": ("low",),
    "max": ("high",),
    "maximum": ("high",),
    "mean": ("loc", "rate"),
    "meanlog": ("loc",),
    "min": ("low",),
    "minimum": ("low",),
    "mu": ("loc", "rate"),
    "n": ("total_count", "dim"),
    "ndim": ("dim",),
    "nu": ("df",),
    "omega": ("precision_matrix",),
    "p": ("probs",),
    "phi": ("total_count",),
    "pi": ("gate", "probs"),
    "prec": ("precision_matrix",),
    "prob": ("probs",),
    "probability": ("probs",),
    "psi": ("gate",),
    "rho": ("rate",),
    "s": ("scale",),
    "sd": ("scale",),
    "sdlog": ("scale",),
    "shape": ("concentration",),
    "shape1": ("concentration1",),
    "shape2": ("concentration0",),
    "sigma": ("scale", "scale_tril", "covariance_matrix"),
    "size": ("total_count", "dim"),
    "std": ("scale",),
    "tau": ("precision_matrix",),
    "theta": ("probs",),
    "trials": ("total_count",),
    "upper": ("high",),
    "x_m": ("scale",),
    "xm": ("scale",),
    "ymin": ("scale",),
    "y_min": ("scale",),
}
"""Foreign names in lower case, each with what it may mean, the likeliest first."""


def meant_by(keyword: str, parameters: Collection[str]) -> str | None:
    """Return which of the parameters a foreign keyword stands for, or None."""
    for name in ALIASES.get(keyword.lower(), ()):
        if name in parameters:
            return name
    return None


def inverted(keyword: str, parameters: Collection[str]) -> str | None:
    """Return how to give a parameter of which the keyword is the inverse, or None.

    >>> inverted("tau", ("loc", "scale"))
    'scale = 1 / sqrt(tau)'
    """
    word = keyword.lower()
    if word in ("tau", "prec", "precision") and "scale" in parameters:
        return f"scale = 1 / sqrt({keyword})"
    if word in ("scale", "theta") and "rate" in parameters:
        return f"rate = 1 / {keyword}"
    if word in ("rate", "lam", "lambda") and "scale" in parameters:
        return f"scale = 1 / {keyword}"
    return None
