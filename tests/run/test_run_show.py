"""A fit in the terminal."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console
from run_helpers import EIGHT_SCHOOLS, QUICK

import pplc
from compiler.run import show_fit


def test_table_verdict_and_folder():
    data = {"y": list(range(40)), "sigma": [1] * 40}
    fit = pplc.loads(EIGHT_SCHOOLS).fit(data, **QUICK)
    text = io.StringIO()
    show_fit(fit, Console(file=text, width=72), Path("out"))
    shown = text.getvalue()
    assert "eight_schools" in shown
    assert shown.index("tau") < shown.index("theta[0]")
    first = next(line for line in shown.splitlines() if "theta[0]" in line)
    assert [float(word) for word in first.split()[1:]] == [
        float(f"{value:.4g}") for value in fit.summary().loc["theta[0]"]
    ]
    assert "theta[11]" in shown
    assert "theta[12]" not in shown
    assert "… 28 more theta" in shown
    assert "posterior.nc" in shown
    assert fit.verdict[0][:12] in shown
    assert "k-hat" in shown
    assert "saved in out" in shown
