"""Mixtures, and what only stands in them."""

from __future__ import annotations

from compiler.tables.distribution_row import DistributionRow, Parameter, Sum, SupportRule

ROWS = (
    DistributionRow(
        "Mixture",
        (Parameter("weights", "simplex", ("n",)), Parameter("components", "distributions")),
        "one of several distributions, each with a weight",
        "the sum over i of weights[i] times the density of components[i] at x",
        mean_known=False,
        ours=True,
        note="The components are a list of any distributions of single numbers, or one whose "
        "arguments run over the dim of the weights: `Mixture(w, Normal(mu, sigma))`. All are of "
        "real numbers or all of whole ones. Draws lie where those of any component do.",
    ),
    DistributionRow(
        "Point",
        (Parameter("value"),),
        "all mass on one value, as a component of a `Mixture`",
        "[x = value]",
        support=SupportRule("integer", lower=Sum(("value",)), upper=Sum(("value",))),
        ours=True,
        note="`Mixture([p, 1 - p], [Point(0), Poisson(rate)])` has more zeros than the counts "
        "alone; `Mixture([p, 1 - p], [Point(0), LogNormal(mu, sigma)])` is a hurdle.",
    ),
)
