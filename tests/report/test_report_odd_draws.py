"""Reports of posteriors that are large, constant, or not finite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from report_helpers import QUICK, Page

import pplc
from compiler.report import Content, content_of, report_page

SPEC = """\
data {
  dim obs
  y[obs] : real
}
model odd {
  a ~ Normal(0, 1)
  b ~ Normal(0, 1)
  plate obs {
    e ~ Normal(a, 1)
    y ~ Normal(e + b, 1)
  }
}
"""


@pytest.fixture(scope="module")
def content() -> Content:
    data = {"y": [float(i) for i in range(6)]}
    return content_of(pplc.loads(SPEC).fit(data, guide=None, **QUICK))


def page_with(content: Content, sites: dict[str, np.ndarray], **outcome: object) -> str:
    """Return the report of the same fit with other draws, (S, *shape)."""
    posterior = xr.Dataset(
        {
            name: (("chain", "draw", *(f"{name}_{i}" for i in range(draws.ndim - 1))), draws[None])
            for name, draws in sites.items()
        }
    )
    rows = {label: {"mean": 0.0, "sd": 1.0} for name in sites for label in labels(posterior[name])}
    return report_page(
        replace(
            content,
            groups={**content.groups, "posterior": posterior},
            outcome={**content.outcome, "sites": rows, **outcome},
        )
    )


def labels(array: xr.DataArray) -> list[str]:
    from compiler.run.summary import entry_labels

    return entry_labels(array)


def test_a_long_vector_stays_small(content: Content) -> None:
    random = np.random.default_rng(0)
    sites = {
        "a": random.normal(size=1000),
        "b": random.normal(size=(1000, 40, 3)),
        "e": random.normal(size=(1000, 5000)),
    }
    html = page_with(content, sites)
    page = Page.read(html)
    assert len(html) < 2_000_000
    assert "could not be made" not in page.text
    assert "4,988 more of e" in page.text
    assert "e: 5,000 entries" in page.text


@pytest.mark.parametrize(
    "odd",
    [
        np.full(50, 2.5),
        np.full(50, np.nan),
        np.full(50, np.inf),
        np.r_[np.nan, -np.inf, np.arange(48.0)],
        np.r_[1e300, -1e300, np.zeros(48)],
        np.r_[np.zeros(49), 1e-12],
        np.full(50, 1e-320),
        np.tan(np.linspace(-1.57, 1.57, 50)),
    ],
    ids=["constant", "nan", "inf", "some", "huge", "atom", "subnormal", "cauchy"],
)
def test_odd_numbers_are_drawn_or_told(content: Content, odd: np.ndarray) -> None:
    sites = {"a": odd, "b": np.linspace(0, 1, 50), "e": np.stack([odd, np.sin(np.arange(50))], 1)}
    page = Page.read(page_with(content, sites))
    assert "could not be made" not in page.text
    assert ("NaN or infinite" in page.text) == (not np.isfinite(odd).all())
    assert not {"nan", "inf"} & set(" ".join(page.values("d")).split())


def test_odd_replicates_and_elbo(content: Content) -> None:
    replicates = content.groups["posterior_predictive"].copy(deep=True)
    replicates["y"][0, 3, 2] = np.nan
    elbo = content.groups["fit"].copy(deep=True)
    elbo["elbo"][:5] = -np.inf
    groups = {**content.groups, "posterior_predictive": replicates, "fit": elbo}
    page = Page.read(report_page(replace(content, groups=groups)))
    assert "could not be made" not in page.text
    assert "y: 1 number left out" in page.text


def test_no_draws_at_all(content: Content) -> None:
    page = Page.read(report_page(replace(content, groups={})))
    assert "could not be made" not in page.text
    assert "The posterior holds no draws" in page.text
