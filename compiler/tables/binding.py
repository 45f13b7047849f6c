"""Binding of a distribution's arguments to its parameters, with what is wrong about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compiler.diagnostics.suggest import did_you_mean
from compiler.tables.foreign_keywords import inverted, meant_by

if TYPE_CHECKING:
    from compiler.tables.distribution_row import DistributionRow, Parameter


@dataclass(frozen=True, slots=True)
class BindProblem:
    """Something that is wrong with the arguments.

    Attributes:
        message: What, without a full stop at its end.
        remedy: What to write instead.
        argument: Which argument is to blame, counted over positional ones first, then keywords;
            None: the call as a whole.
    """

    message: str
    remedy: str
    argument: int | None = None


@dataclass(frozen=True, slots=True)
class BindResult:
    """Which parameter each argument goes to.

    Attributes:
        targets: A parameter for each argument, positional ones first, then keywords in order;
            None where there is none for it.
        problems: What is wrong; empty where all is well.
    """

    targets: tuple[Parameter | None, ...]
    problems: tuple[BindProblem, ...]

    @property
    def ok(self) -> bool:
        """Whether the call is right."""
        return not self.problems


def bind(row: DistributionRow, positional: int, keywords: Sequence[str]) -> BindResult:
    """Return which parameter of the row each argument goes to; see `DistributionRow.bind`."""
    placed = [p for p in row.parameters if not p.keyword_only]
    targets: list[Parameter | None] = list(placed[:positional])
    problems: list[BindProblem] = []
    if positional > len(placed):
        targets += [None] * (positional - len(placed))
        problems.append(_too_many(row, positional, len(placed)))
    by_name = {p.name: p for p in row.parameters}
    for index, keyword in enumerate(keywords, start=positional):
        target = by_name.get(keyword)
        if target is None:
            problems.append(_unknown(row, keyword, index))
        elif target in targets:
            problems.append(
                BindProblem(
                    f"{row.name} gets its argument `{keyword}` twice",
                    f"give `{keyword}` once: `{row.signature}`",
                    index,
                )
            )
        targets.append(target)
    problems += _groups(row, targets)
    if not problems:
        problems += _missing(row, targets)
    return BindResult(tuple(targets), tuple(problems))


def _too_many(row: DistributionRow, given: int, placed: int) -> BindProblem:
    if any(p.keyword_only for p in row.parameters[placed : placed + 1]):
        remedy = f"give `{row.parameters[placed].name}` by its name: `{row.signature}`"
    else:
        remedy = f"write `{row.signature}`"
    taken = f"{placed} argument{'s' * (placed != 1)}" if placed else "no arguments"
    return BindProblem(f"{row.name} takes {taken} without a name, not {given}", remedy, placed)


def _unknown(row: DistributionRow, keyword: str, index: int) -> BindProblem:
    message = f"{row.name} has no argument called `{keyword}`"
    names = [p.name for p in row.parameters]
    inverse = inverted(keyword, names)
    meant = meant_by(keyword, names) or did_you_mean(keyword, names)
    if inverse is not None:
        return BindProblem(message, f"write `{inverse}`", index)
    if meant is not None:
        return BindProblem(message, f"write `{meant} = ...`", index)
    return BindProblem(message, f"write `{row.signature}`", index)


def _groups(row: DistributionRow, targets: Sequence[Parameter | None]) -> list[BindProblem]:
    """Return a problem for each group of alternatives of which more than one is given."""
    problems: list[BindProblem] = []
    first: dict[str, Parameter] = {}
    for index, target in enumerate(targets):
        if target is None or target.group is None:
            continue
        other = first.setdefault(target.group, target)
        if other != target:
            problems.append(
                BindProblem(
                    f"{row.name} gets both `{other.name}` and `{target.name}`, which say the same",
                    f"keep either `{other.name}` or `{target.name}`",
                    index,
                )
            )
    return problems


def _missing(row: DistributionRow, targets: Sequence[Parameter | None]) -> list[BindProblem]:
    """Return a problem if something that has to be given is not."""
    lacking: list[str] = []
    groups = {target.group for target in targets if target is not None}
    for parameter in row.parameters:
        if parameter.group is not None:
            if parameter.group not in groups:
                groups.add(parameter.group)
                lacking.append(_either(row, parameter.group))
        elif parameter.required and parameter not in targets:
            lacking.append(f"`{parameter.name}`")
    if not lacking:
        return []
    return [BindProblem(f"{row.name} lacks {' and '.join(lacking)}", f"write `{row.signature}`")]


def _either(row: DistributionRow, group: str) -> str:
    names = [f"`{p.name}`" for p in row.group(group)]
    return f"{', '.join(names[:-1])} or {names[-1]}"
