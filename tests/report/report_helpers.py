"""Specs, data and a reading of HTML that the tests of the report share."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

SCHOOLS = """\
# </style><script>alert("spec")</script>
data {
  dim school
  y[school]     : real
  sigma[school] : real > 0
}
model eight_schools {
  mu  ~ Normal(0, 5)
  tau ~ HalfNormal(5)
  plate school {
    theta ~ Normal(mu, tau) reparam noncentered
    y     ~ Normal(theta, sigma)
  }
}
"""

EVIL = ["<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "$\\frac{a", "名前\n&amp;"]

SCHOOLS_DATA: dict[str, Any] = {"school": EVIL, "y": [28, 8, -3, 7], "sigma": [15, 10, 16, 11]}

KINDS = """\
data {
  dim obs
  dim k = 2
  y[obs] : real
  n[obs] : int >= 0
  hit[obs] : int in 0 .. 1
  x[obs] : real
}
model kinds {
  mu[k] : ordered ~ Normal(0, 10)
  rate ~ Gamma(2, 1)
  p ~ Beta(1, 1)
  plate obs {
    z ~ Categorical([0.5, 0.5]) marginalize
    y ~ Normal(mu[z], 1)
    n ~ Poisson(rate)
    hit ~ Bernoulli(p)
    x ~ Normal(0, 1)
  }
  record odds = p / (1 - p)
  factor push = -0.01 * p
}
"""

KINDS_DATA: dict[str, Any] = {
    "y": [(-2) ** (i % 2) * 2 + i / 40 for i in range(40)],
    "n": [i % 17 for i in range(40)],
    "hit": [i % 3 == 0 for i in range(40)],
    "x": [i / 20 - 1 for i in range(40)],
}

LONE = """\
model lone {
  mu ~ Normal(0, 1)
}
"""

QUICK: dict[str, Any] = {
    "steps": 60, "method": "adam", "engine": "eager", "correction": "weights", "draws": 60,
    "progress": False, "seed": 1,
}  # fmt: skip

_VOID = {"meta", "br", "img"}


@dataclass
class Page(HTMLParser):
    """A page as read: its text, tables, ids and tags; unbalanced tags are an error."""

    text: str = ""
    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []

    @classmethod
    def read(cls, html: str) -> Page:
        page = cls()
        page.feed(html)
        page.close()
        assert not page._open, f"left open: {page._open}"
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and "tr" in self._open:
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes another"

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data
        if self._open and self._open[-1] in ("td", "th"):
            self.rows[-1][-1] += data

    def values(self, name: str) -> list[str]:
        """The values of an attribute, wherever it is."""
        return [value for _, attribute, value in self.attributes if attribute == name]
