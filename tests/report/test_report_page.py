"""The report as a page: what stands in it, that it is safe, and that it needs nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from report_helpers import EVIL, KINDS, KINDS_DATA, LONE, QUICK, SCHOOLS, SCHOOLS_DATA, Page

import pplc
from compiler.diagnostics import SpecError
from compiler.report import content_in, content_of, report_page
from compiler.report.numbers import number
from compiler.report.sections import SECTIONS
from compiler.run import Fit

FAILED = "could not be made"


@pytest.fixture(scope="module")
def schools() -> Fit:
    return pplc.loads(SCHOOLS).fit(SCHOOLS_DATA, **QUICK)


@pytest.fixture(scope="module")
def kinds() -> Fit:
    return pplc.loads(KINDS).fit(KINDS_DATA, **QUICK)


def test_all_sections_with_the_numbers_of_the_fit(schools: Fit) -> None:
    html = schools.report_html()
    page = Page.read(html)
    assert FAILED not in page.text
    assert [key for key in page.values("id") if key in {s.key for s in SECTIONS}] == [
        section.key for section in SECTIONS
    ]
    for label, row in schools.summary().iterrows():
        assert [str(label), *map(number, row)] in [cells[:6] for cells in page.rows]
    assert schools.verdict[0][1:] in page.text
    assert schools.verdict[1][1:] in page.text
    assert "seed 1" in page.text
    assert "theta ~ Normal(mu, tau) reparam noncentered" in page.text
    for line in schools.source.splitlines():
        assert line in page.text
    observed = next(row for row in page.rows if row[0] == "max(y)")
    assert observed[2] == "28"
    assert 0 <= float(observed[1].removesuffix(" !")) <= 1


def test_nothing_of_a_spec_or_of_labels_becomes_markup(schools: Fit) -> None:
    html = schools.report_html()
    page = Page.read(html)
    assert EVIL[0] in schools.summary().index[2]
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    for label in EVIL:
        assert [f"theta[{label}]"] == [row[0] for row in page.rows if row[0] == f"theta[{label}]"]
    assert page.tags.count("style") == 1


def test_the_page_stands_alone_and_follows_the_colour_scheme(schools: Fit) -> None:
    html = schools.report_html()
    page = Page.read(html)
    assert "://" not in html.replace(EVIL[1], "")
    assert not page.values("src")
    assert not re.search(r"@import|url\((?!#)", html)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {value.removeprefix("#") for value in page.values("href")} <= set(ids)
    assert set(re.findall(r"url\(#(\w+)\)", html)) <= set(ids)
    for query in ("prefers-color-scheme: dark", "@media print", "width=device-width"):
        assert query in html
    svg = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    assert not re.findall(r"#[0-9a-f]{6}\b", svg), "a colour that no scheme can change"
    assert page.tags.count("svg") == sum(bool(text) for text in page.values("aria-label")) - (
        page.values("role").count("region")
    )


def test_a_saved_fit_gives_the_same_report(schools: Fit, tmp_path: Path) -> None:
    folder = schools.save(tmp_path / "fit", report=True)
    written = (folder / "report.html").read_text(encoding="utf-8")
    assert written == schools.report_html()
    assert report_page(content_in(folder)) == written
    assert schools.report(tmp_path / "deep" / "one.html").read_text(encoding="utf-8") == written
    with pytest.raises(SpecError, match="PPL098"):
        schools.report(tmp_path / "fit")
    assert {path.name for path in tmp_path.iterdir()} == {"fit", "deep"}


def test_discrete_latents_and_every_kind_of_data(kinds: Fit) -> None:
    page = Page.read(kinds.report_html())
    assert FAILED not in page.text
    words = " ".join(page.values("aria-label"))
    assert "check of y. Thick line" in words
    assert "check of n. Bars: the data. Line" in words
    assert "check of hit. Bars: the data. Dots" in words
    assert "check of x." in words
    mode = kinds.discrete_summary().loc["z[0]"]
    assert ["z[0]", f"{mode['mode']}", f"{mode['probability']:.2f}"] in page.rows
    assert "odds (recorded) depends on p" in words
    assert "push (factor) depends on p" in words


def test_a_single_number_without_data() -> None:
    page = Page.read(pplc.loads(LONE).fit(**QUICK).report_html())
    assert FAILED not in page.text
    assert page.values("id").count("predictive") == 0
    assert page.values("id").count("pairs") == 0


@pytest.mark.parametrize(
    ("trusted", "meaning", "converged", "word"),
    [
        (True, "good: k-hat 0.2", True, "Reliable"),
        (True, "usable: k-hat 0.6", True, "Usable"),
        (True, "good: k-hat 0.2", False, "Usable"),
        (False, "not reliable: k-hat 1.2", True, "Not reliable"),
        (None, "k-hat is not known", True, "Not known"),
        (None, "k-hat is not known", False, "Not reliable"),
    ],
)
def test_the_verdict(
    schools: Fit, trusted: bool | None, meaning: str, converged: bool, word: str
) -> None:
    content = content_of(schools)
    told = {"trusted": trusted, "khat_meaning": meaning, "converged": converged}
    page = report_page(replace(content, outcome={**content.outcome, **told}))
    assert f"<strong>{word}:</strong>" in page
    assert ("What can be done" in page) == (word in ("Usable", "Not reliable"))


def test_a_column_that_the_summary_gets_is_shown(schools: Fit) -> None:
    content = content_of(schools)
    sites = {label: {**row, "khat": 0.123} for label, row in content.outcome["sites"].items()}
    page = Page.read(report_page(replace(content, outcome={**content.outcome, "sites": sites})))
    assert ["", "mean", "sd", "5 %", "50 %", "95 %", "k-hat"] in [row[:7] for row in page.rows]
    assert [row[6] for row in page.rows if row[0] == "mu"] == ["0.123"]
