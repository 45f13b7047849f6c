"""The log density of every public posterior's spec, against a statement of it in numpy."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from compiled_densities import CompiledDensity
from statements import STATEMENTS

import pplc
from benchmarks.accuracy.posteriors import REFERENCES, Posterior

pytestmark = pytest.mark.skipif(
    not REFERENCES.is_dir(), reason="the reference posteriors are not here"
)
POINTS = 4


def small(data: dict[str, Any], words: int = 30, chapters: int = 4) -> dict[str, Any]:
    """Cut a corpus down to few words and chapters."""
    kept = [
        place
        for place, (word, chapter) in enumerate(zip(data["w"], data["doc"], strict=True))
        if word <= words and chapter <= chapters
    ]
    chosen = {name: [data[name][place] for place in kept] for name in ("w", "doc")}
    return {**chosen, "alpha": data["alpha"], "beta": data["beta"][:words]}


def quantiles(posterior: Posterior, which: str) -> dict[str, Any]:
    """Return a quantile of every variable of a reference, as arrays."""
    file = posterior.folder / f"{posterior.name}.json"
    if not file.exists():
        return {}
    numbers: dict[str, list[float]] = {}
    for name, told in json.loads(file.read_text())["parameters"].items():
        numbers.setdefault(name.partition("[")[0], []).append(told[which])
    scalars = {name for name in numbers if len(numbers[name]) == 1}
    return {n: np.array(v[0] if n in scalars else v) for n, v in numbers.items()}


@pytest.mark.parametrize("name", STATEMENTS)
def test_density(name: str) -> None:
    posterior, statement = Posterior(name), STATEMENTS[name]
    data = posterior.data()
    if name == "prideprejudice_chapter-ldaK5":
        data = small(data)
    arrays = {key: np.array(value) for key, value in data.items()}
    compiled = CompiledDensity(pplc.load(posterior.spec), data, statement.parameters)
    low, middle, high = (
        compiled.unconstrained(quantiles(posterior, which)) for which in ("q5", "q50", "q95")
    )
    spread = torch.nan_to_num((high - low).abs() / 2, nan=0.3).clamp(max=1e6)
    spread[spread == 0] = 0.3
    random = torch.Generator().manual_seed(1)
    differences, sizes = [], []
    for _ in range(POINTS):
        step = torch.randn(len(middle), generator=random, dtype=torch.float64)
        value, parameters = compiled(middle + spread * step)
        differences.append(value - float(statement.log_density(arrays, parameters)))
        sizes.append(abs(value))
    assert np.ptp(sizes) > 0
    assert np.ptp(differences) <= statement.tolerance * max(*sizes, 1.0)


def test_every_public_posterior_has_a_statement() -> None:
    index = json.loads((REFERENCES / "index.json").read_text())
    assert set(index) == set(STATEMENTS)
