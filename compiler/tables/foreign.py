"""Names that authors bring along from other systems, each with what to write here instead.

Every answer is a remedy sentence for a diagnostic: it starts in lower case, ends without a full
stop, and has code in backticks.
"""

from __future__ import annotations

import re

from compiler.tables.distributions import DISTRIBUTIONS
from compiler.tables.foreign_distributions import DISTRIBUTION_HINTS
from compiler.tables.foreign_functions import MODULES, SAME_AS, SENTENCES
from compiler.tables.foreign_keywords import inverted, meant_by
from compiler.tables.functions import FUNCTIONS

_DENSITY = re.compile(r"(?P<name>\w+)_(?:lpdf|lpmf|lupdf|lupmf|log)$")
_RANDOM = re.compile(r"(?P<name>\w+)_rng$")
_TAIL = re.compile(r"(?P<name>\w+)_(?:cdf|lcdf|lccdf|ccdf)$")


def distribution_hint(name: str) -> str | None:
    """Return how a distribution of another system is written here, or None.

    >>> distribution_hint("normal")
    'write `Normal(loc, scale)`'
    """
    plain = _plain(name)
    for known, hint in DISTRIBUTION_HINTS.items():
        if known == name:
            return hint
    for row in DISTRIBUTIONS.values():
        if _plain(row.name) == plain:
            return f"write `{row.signature}`"
    for known, hint in DISTRIBUTION_HINTS.items():
        if _plain(known) == plain:
            return hint
    return None


def keyword_hint(distribution: str, keyword: str) -> str | None:
    """Return what another system's keyword of a distribution is here, or None.

    >>> keyword_hint("Normal", "tau")
    'write `scale = 1 / sqrt(tau)`'
    """
    row = DISTRIBUTIONS.get(distribution)
    if row is None:
        return None
    names = [parameter.name for parameter in row.parameters]
    inverse = inverted(keyword, names)
    if inverse is not None:
        return f"write `{inverse}`"
    meant = meant_by(keyword, names)
    return None if meant is None else f"write `{meant} = ...`"


def function_hint(name: str) -> str | None:
    """Return how a function of another system is written here, or None.

    >>> function_hint("inv_logit")
    'write `sigmoid(x)`'
    >>> function_hint("normal_lpdf")
    'write a site `y ~ Normal(loc, scale)`, or its density out after `factor name =`'
    """
    module, _, last = name.rpartition(".")
    if last in SENTENCES:
        return SENTENCES[last]
    if last in SAME_AS:
        return f"write `{SAME_AS[last]}`"
    if module.split(".")[0] in MODULES and last in FUNCTIONS:
        return f"write `{last}`; functions need no module"
    return _of_a_distribution(last)


def _of_a_distribution(name: str) -> str | None:
    """Return the hint for Stan's functions of a distribution: densities, draws, tails."""
    for pattern, remedy in (
        (_DENSITY, "write a site `y ~ {}`, or its density out after `factor name =`"),
        (_RANDOM, "draw it in the predict block: `y_rep ~ {}`"),
        (_TAIL, "write `truncated(...)` or `censored(...)` after a site's distribution"),
    ):
        found = pattern.match(name)
        written = found and distribution_hint(found["name"])
        if written:
            code = re.search(r"write `([^`]*)`", written)
            return remedy.format(code[1] if code else "...")
    if name in DISTRIBUTIONS or distribution_hint(name):
        return f"a distribution stands after `~`: `x ~ {name}(...)`"
    return None


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
