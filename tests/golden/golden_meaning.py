"""What a program means, worked out without the emitter: plates are loops, one entry at a time."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyro.distributions as dist
import torch
from golden_covariances import covariance
from golden_splines import splines
from scipy.integrate import solve_ivp

import autoguide_core.distributions as ours
from autoguide_core.functions import covariances
from compiler.ir import (
    Apply,
    Assignment,
    Axis,
    Constant,
    Distribution,
    Distribution,
    Expression,
    FactorTerm,
    Filled,
    IndexAt,
    Initially,
    Invoke,
    Items,
    Lag,
    PlateBlock,
    Program,
    Range,
    Recorded,
    Reference,
    Site,
    Statement,
)
from compiler.ir.axes import Sizes
from compiler.tables.distributions import DISTRIBUTIONS
from compiler.tables.functions import FUNCTIONS, OPERATORS

Tensor = torch.Tensor
Entry = dict[str, int]
"""Which entry of each plate around a place is meant."""

_OPERATORS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": lambda x, y: torch.floor(x / y),
    "%": lambda x, y: x - y * torch.floor(x / y),
    "**": operator.pow,
    "negative": operator.neg,
    "and": lambda x, y: (x != 0) & (y != 0),
    "or": lambda x, y: (x != 0) | (y != 0),
    "not": lambda x: x == 0,
    "if": lambda test, x, y: torch.where(test != 0, x, y),
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


_SPECIAL = SimpleNamespace(
    log1m_exp=lambda x: torch.log1p(-torch.exp(x)),
    logit=torch.logit,
    log_normal_cdf=torch.special.log_ndtr,
    log_sigmoid=torch.nn.functional.logsigmoid,
)


class Meaning:
    """Evaluates a program at given values of its sites.

    Args:
        program: The program.
        lengths: Sizes of its dims.
        values: Data, derived values and sites, each with its declared axes or plates first.

    Attributes:
        densities: The log density of each site and factor, summed over its plates.
        tolerance: How near they are to those of the program; steps along equations have errors.
    """

    def __init__(
        self, program: Program, lengths: Mapping[str, int], values: Mapping[str, Tensor]
    ) -> None:
        self._program = program
        chains = {s.name: s.states for s in program.sites() if s.states is not None}
        self._lengths = dict(lengths)
        self._lengths |= {n: k if isinstance(k, int) else lengths[k] for n, k in chains.items()}
        self._values = dict(values)
        self._kept: dict[str, dict[tuple[int, ...], Tensor]] = {}
        self._sizes = Sizes({dim.name: dim.size for dim in program.dims if dim.size is not None})
        self.densities: dict[str, Tensor] = {}
        self.tolerance = 1e-9

    def run(self, block: tuple[Statement, ...], entry: Entry | None = None) -> None:
        """Evaluate a block; sites must have values."""
        entry = entry or {}
        for statement in block:
            match statement:
                case PlateBlock(sequential=True) if _chains(statement):
                    self._hidden(statement, entry)
                case PlateBlock(dim=dim, body=body):
                    for position in range(self._lengths[dim]):
                        self.run(body, {**entry, dim: position})
                case Site(begin=begin, initial=initial, stepped=stepped) if begin or stepped:
                    self._add_step(statement, entry)
                case Site():
                    self._add(statement.name, self._density(statement, entry))
                case FactorTerm(name=name, value=value):
                    self._add(name, self._at(value, entry))
                case Assignment(name=name, value=value) | Recorded(name=name, value=value):
                    key = tuple(entry[plate] for plate in value.type.batch)
                    self._kept.setdefault(name, {})[key] = self._at(value, entry)

    def recorded(self, statement: Recorded) -> Tensor:
        """Return a recorded value: its plates first, then its event axes."""
        return self._whole(statement.name, statement.value.type.batch)

    def _hidden(self, block: PlateBlock, entry: Entry) -> None:
        """Sum a hidden chain out over all of its paths, one by one."""
        (chain,) = _chains(block)
        count = self._states(chain)
        seen, moves = [], []
        emitted = [s for s in block.body if isinstance(s, Site) and s.hidden]
        plain = tuple(s for s in block.body if s is not chain and s not in emitted)
        for position in range(self._lengths[block.dim]):
            now = {**entry, block.dim: position}
            self.run(plain, now)
            given = [s for s in emitted if position >= s.begin or s.initial is not None]
            seen.append(sum((self._by_state(s, now) for s in given), torch.zeros(count)))
            moves.append(self._chances(chain.distribution, now, count))
        assert chain.initial is not None
        flat = chain.initial.name == "Flat"
        first = {**entry, block.dim: 0}
        start = torch.ones(count) if flat else self._chances(chain.initial, first, count)
        paths = []
        for path in itertools.product(range(count), repeat=len(seen)):
            weight = start[path[0]].log()
            for t, state in enumerate(path):
                weight = weight + seen[t][state]
                weight = weight + moves[t][path[t - 1], state].log() if t else weight
            paths.append(weight)
        for site in emitted[:-1]:
            self._add(site.name, torch.zeros(()))  # the density of all is that of the last
        self._add(emitted[-1].name, torch.stack(paths).logsumexp(0))

    def _states(self, chain: Site) -> int:
        assert chain.states is not None
        return self._length(chain.states)

    def _by_state(self, site: Site, entry: Entry) -> Tensor:
        """Return the log density of an emission for each state."""
        density = self._density(
            site.model_copy(update={"event": (site.hidden, *site.event)}), entry
        )
        return density.flatten(1).sum(-1) if density.dim() > 1 else density

    def _chances(self, distribution: Distribution, entry: Entry, count: int) -> Tensor:
        ((name, argument),) = distribution.arguments.items()
        value = self._at(argument, entry)
        if distribution.name == "Bernoulli":
            true = torch.sigmoid(value) if name == "logits" else value
            return torch.stack([1 - true, true], -1)
        return torch.softmax(value, -1) if name == "logits" else value

    def _add_step(self, site: Site, entry: Entry) -> None:
        """Add the density of one step of a `recur`: the first ones have their own, or none."""
        name = site.name
        first = entry[site.plates[-1]] < site.begin
        if site.stepped:
            self._add(name, torch.zeros(()))
            name += "_steps"
        if not first:
            self._add(name, self._density(site, entry))
        elif site.initial is not None and site.initial.name != "Flat":
            begun = site.model_copy(update={"distribution": site.initial})
            self._add(name, self._density(begun, entry))
        else:
            self._add(name, torch.zeros(()))

    def _add(self, name: str, density: Tensor) -> None:
        self.densities[name] = self.densities.get(name, torch.zeros(())) + density.sum()

    # --- sites --------------------------------------------------------------------------------

    def _density(self, site: Site, entry: Entry) -> Tensor:
        row = DISTRIBUTIONS[site.distribution.name]
        value = self._select(self._values[site.name], self._axes(site), entry)
        if site.completed is not None:
            value = self._at(site.completed, entry)
        left = site.event[: len(site.event) - row.event_rank]
        if site.distribution.components:
            return self._mixed_density(site.distribution, value, left, entry)
        arguments = {}
        for name, argument in site.distribution.arguments.items():
            rank = row.parameter(name).event_rank
            own = argument.type.event[len(argument.type.event) - rank :]
            if row.parameter(name).constraint == "size":
                arguments[name] = int(self._at(argument, entry))
                continue
            arguments[name] = self._spread(argument, (*left, *own), entry, last=rank)
        if site.noncentered:
            return self._base_density(site, arguments, value)
        shape = [self._length(axis) for axis in left]
        trials = site.distribution.arguments.get("total_count")
        unsure = row.name in ("Binomial", "BetaBinomial") and trials is not None
        extended = "Extended" if unsure and trials.type.random else ""
        made = getattr(ours if row.ours else dist, extended + row.name)(**arguments)
        if site.truncated:
            bounds = {"lower": site.lower, "upper": site.upper}
            cut = ours.TruncatedCounts if row.discrete else ours.Truncated
            made = cut(made, **{k: self._spread(b, left, entry) for k, b in bounds.items() if b})
        if site.censoring:
            parts = {k: self._spread(p, left, entry) for k, p in site.censoring.items()}
            made = ours.Censored(made, **parts)
        made = made.expand(shape)
        if site.missing:
            return ours.Gaps(made).log_prob(value)
        if site.constraint is not None:
            made = (
                ours.Ordered(made) if site.constraint == "ordered" else ours.PositiveOrdered(made)
            )
        return made.log_prob(value)

    def _mixed_density(
        self, mixed: Distribution, value: Tensor, left: tuple[Axis, ...], entry: Entry
    ) -> Tensor:
        """Add up the densities of a mixture's components, at an entry of the plates."""
        own = mixed.arguments["weights"].type.event[-1:]
        weights = self._spread(mixed.arguments["weights"], (*left, *own), entry, last=1)
        inner = left if mixed.along is None else (*left, mixed.along)
        value = value if mixed.along is None else value.unsqueeze(-1)
        real = any(not DISTRIBUTIONS[name].discrete for name in mixed.components)
        densities, points = [], torch.zeros(value.shape, dtype=torch.bool)
        for number, name in enumerate(mixed.components):
            arguments = {
                key.split(".", 1)[1]: self._of_component(key, argument, mixed, inner, entry)
                for key, argument in mixed.arguments.items()
                if key.startswith(f"{number}.")
            }
            if name == "Point":
                at = value == arguments["value"]
                densities.append(at.to(value.dtype))
                points = points | at
                continue
            made = getattr(ours if DISTRIBUTIONS[name].ours else dist, name)(**arguments)
            inside = made.support.check(value)
            kept = torch.where(inside, value, made.sample())
            densities.append(made.log_prob(kept).exp() * inside)
        if mixed.along is not None:
            return (weights * densities[0]).sum(-1).log()
        parts = [
            d if name == "Point" or not real else torch.where(points, 0.0, d)
            for d, name in zip(densities, mixed.components, strict=True)
        ]
        return sum(weights[..., i] * d for i, d in enumerate(parts)).log()

    def _of_component(
        self,
        key: str,
        argument: Expression,
        mixed: Distribution,
        inner: tuple[Axis, ...],
        entry: Entry,
    ) -> Tensor:
        """Return an argument of a component, the axis of the components last but its own ones."""
        number, _, name = key.partition(".")
        rank = DISTRIBUTIONS[mixed.components[int(number)]].parameter(name).event_rank
        axes = argument.type.event
        before, own = axes[: len(axes) - rank], axes[len(axes) - rank :]
        last = bool(mixed.along and before and self._sizes.unify(before[-1], mixed.along))
        return self._spread(argument, (*inner, *own), entry, last=rank + last)

    def _base_density(self, site: Site, arguments: dict[str, Any], value: Tensor) -> Tensor:
        """Return the density of the standard variable that a non-centred site is drawn through."""
        row = DISTRIBUTIONS[site.distribution.name]
        assert row.loc_scale is not None
        loc, scale = arguments.pop(row.loc_scale.loc, 0.0), arguments.pop(row.loc_scale.scale)
        if row.loc_scale.matrix:
            base = torch.linalg.solve(scale, (value - loc).unsqueeze(-1)).squeeze(-1)
            return dist.Normal(0.0, 1.0).log_prob(base)
        standard = {row.loc_scale.loc: torch.tensor(0.0), row.loc_scale.scale: torch.tensor(1.0)}
        made = getattr(ours if row.ours else dist, row.name)(**arguments, **standard)
        return made.log_prob((value - loc) / scale)

    def _axes(self, site: Site) -> tuple[Axis, ...]:
        if site.observed:
            return next(data.dims for data in self._program.data if data.name == site.name)
        return (*site.plates, *site.event)

    # --- expressions --------------------------------------------------------------------------

    def _at(self, expr: Expression, entry: Entry, local: Mapping[str, Tensor] = {}) -> Tensor:
        """Return the value of an expression at an entry of the plates: its event axes only."""
        match expr:
            case Constant(value=value):
                return torch.tensor(float(value))
            case Reference(kind="states"):
                assert expr.type.index_of is not None
                return torch.arange(self._length(expr.type.index_of))
            case Reference(kind="size", name=name):
                return torch.tensor(float(self._lengths[name]))
            case Reference(name=name) if name in local:
                return local[name]
            case Reference(name=name, plates=plates, event=event):
                kept = name in self._kept
                whole = self._whole(name, plates) if kept else self._values[name]
                return self._select(whole, (*plates, *event), entry)
            case Lag(base=base, dim=dim, steps=steps, default=default):
                if entry[dim] >= steps:
                    return self._at(base, {**entry, dim: entry[dim] - steps}, local)
                # Before the first step there is a default, or nobody looks.
                return self._at(base if default is None else default, entry, local)
            case Initially(dim=dim, steps=steps, initial=initial, then=then):
                return self._at(initial if entry[dim] < steps else then, entry, local)
            case Filled(data=data, values=values):
                return self._filled(data, values, entry)
            case Items(items=items):
                parts = [self._at(item, entry, local) for item in items]
                return torch.stack([part.to(torch.get_default_dtype()) for part in parts])
            case IndexAt(base=base, indices=indices):
                places = tuple(self._place(index, entry, local) for index in indices)
                return self._at(base, entry, local)[places]
            case Invoke(function=name, arguments=arguments):
                return self._invoke(name, [self._at(a, entry, local) for a in arguments], entry)
            case Apply(function="place", arguments=(Reference(name=dim),)):
                all_places = torch.arange(float(self._lengths[dim]))
                return all_places if expr.type.event else all_places[entry[dim]]
            case Apply(function="ode"):
                return self._solved(expr, entry, local)
            case Apply():
                return self._apply(expr, entry, local)

    def _filled(self, data: Reference, values: Reference, entry: Entry) -> Tensor:
        whole = self._values[data.name]
        gaps = whole.isnan() if whole.is_floating_point() else whole == -1
        if values.event:
            whole = whole.clone()
            whole[gaps] = self._values[values.name]
            return self._select(whole, data.event, entry)
        missing = self._select(gaps, data.event, entry)
        return self._at(values if missing else data, entry)

    def _place(self, index: Expression | Range, entry: Entry, local: Mapping[str, Tensor]) -> Any:
        if isinstance(index, Range):
            return slice(index.lower, index.upper)
        return self._at(index, entry, local).long()

    def _invoke(self, name: str, arguments: list[Tensor], entry: Entry) -> Tensor:
        function = next(f for f in self._program.functions if f.name == name)
        local = dict(zip(function.parameters, arguments, strict=True))
        for statement in function.body:
            local[statement.name] = self._at(statement.value, entry, local)
        return self._at(function.result, entry, local)

    def _solved(self, expr: Apply, entry: Entry, local: Mapping[str, Tensor]) -> Tensor:
        """Follow an equation by scipy."""
        self.tolerance = 1e-5
        name, *values = expr.arguments
        assert isinstance(name, Constant)
        state, start, times, *given = (self._at(value, entry, local) for value in values)

        def slope(t: float, z: Any) -> Any:
            now = [torch.tensor(t), torch.as_tensor(z).reshape(state.shape), *given]
            return self._invoke(str(name.value), now, {}).expand(state.shape).reshape(-1).numpy()

        solved = [state]
        for end in times:
            begin = solved[-1].reshape(-1).numpy()
            end_state = solve_ivp(slope, (float(start), float(end)), begin, rtol=1e-10, atol=1e-12)
            solved.append(torch.as_tensor(end_state.y[:, -1]).reshape(state.shape))
            start = end
        return torch.stack(solved[1:])

    def _apply(self, expr: Apply, entry: Entry, local: Mapping[str, Tensor]) -> Tensor:
        row = OPERATORS.get(expr.function) or FUNCTIONS[expr.function]
        given = [self._at(argument, entry, local) for argument in expr.arguments]
        given = [x.to(torch.get_default_dtype()) for x in given]

        def meet(axes: tuple[Axis, ...], last: int = 0) -> list[Tensor]:
            pairs = zip(expr.arguments, given, strict=True)
            return [self._insert(argument, x, axes, last) for argument, x in pairs]

        def joined(*axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
            return reduce(self._sizes.join, axes, ())

        event = expr.type.event  # which a declaration may have renamed
        own = [argument.type.event for argument in expr.arguments]
        match row.shape:
            case "elementwise":
                if row.name in _OPERATORS:
                    return _OPERATORS[row.name](*meet(joined(*own)))
                return _fill(row.template, torch.broadcast_tensors(*meet(joined(*own))))
            case "reduce":
                option = expr.options.get("axis")
                if isinstance(option, Constant):
                    return _fill(row.template.replace("{axes}", str(option.value)), given)
                return _fill(row.template.replace("{axes}", "-1"), [given[0].flatten()])
            case "dot":
                x, y = meet((*joined(own[0][:-1], own[1][:-1]), own[0][-1]), last=1)
                return (x * y).sum(-1)
            case "matmul":
                return given[0] @ given[1]
            case "outer":
                return torch.outer(*given)
            case "solve":
                return torch.linalg.solve(*given)
            case "add_diagonal":
                return given[0] + torch.diag_embed(given[1].expand(given[0].shape[-1]))
            case "filled":
                shape = [self._length(axis) for axis in event]
                return {"zeros": torch.zeros, "ones": torch.ones}.get(
                    row.name, lambda shape: given[0].expand(shape)
                )(shape)
            case "identity":
                return torch.eye(self._length(event[0]))
            case "interpolate":
                return torch.as_tensor(np.interp(*(x.numpy() for x in given)))
            case "basis":
                return splines(given[0], int(given[1]), given[-1] if len(given) > 2 else given[0])
            case "covariance":
                return covariance(row.name, given)
            case "columns":
                return torch.stack(torch.broadcast_tensors(*meet(joined(*own))), -1)
            case "concatenate":
                return torch.cat(given)
            case "size":
                raise NotImplementedError(row.name)
            case _:
                return _fill(row.template, given)

    # --- axes ---------------------------------------------------------------------------------

    def _length(self, axis: Axis) -> int:
        return axis if isinstance(axis, int) else self._lengths[axis]

    def _spread(
        self, expr: Expression, event: tuple[Axis, ...], entry: Entry, last: int = 0
    ) -> Tensor:
        value = self._at(expr, entry).to(torch.get_default_dtype())
        return self._insert(expr, value, event, last)

    def _insert(
        self, expr: Expression, value: Tensor, event: tuple[Axis, ...], last: int = 0
    ) -> Tensor:
        """Put axes of size one into a value, so that its axes meet those of the same names.

        The `last` axes of the value meet the last ones, whatever they are called.
        """
        own = expr.type.event
        positions = self._sizes.align(own[: len(own) - last], event[: len(event) - last])
        assert positions is not None
        for position in range(len(event) - last):
            if position not in positions:
                value = value.unsqueeze(position)
        return value

    @staticmethod
    def _select(whole: Tensor, axes: tuple[Axis, ...], entry: Entry) -> Tensor:
        places: list[int | slice] = [slice(None)] * len(axes)
        for plate, position in entry.items():
            if plate in axes:
                places[axes.index(plate)] = position
        return whole[tuple(places)]

    def _whole(self, name: str, plates: tuple[str, ...]) -> Tensor:
        def stack(key: tuple[int, ...]) -> Tensor:
            if len(key) == len(plates):
                return self._kept[name][key]
            count = self._lengths[plates[len(key)]]
            return torch.stack([stack((*key, position)) for position in range(count)])

        # A value that is read inside its own plate is not yet there for the later entries.
        entries = self._kept[name]
        missing = next(iter(entries.values()))
        for key in _keys([self._lengths[plate] for plate in plates]):
            entries.setdefault(key, torch.full_like(missing, torch.nan))
        found = stack(())
        for key in [key for key, value in entries.items() if value.isnan().all()]:
            del entries[key]
        return found


def _chains(block: PlateBlock) -> list[Site]:
    return [s for s in block.body if isinstance(s, Site) and s.states is not None]


def _keys(lengths: list[int]) -> Iterator[tuple[int, ...]]:
    if not lengths:
        yield ()
        return
    for first in range(lengths[0]):
        for rest in _keys(lengths[1:]):
            yield (first, *rest)


def _fill(template: str, arguments: Any) -> Tensor:
    names = {f"a{i}": argument for i, argument in enumerate(arguments)}
    code = template.format(*names)
    modules = {"torch": torch, "covariances": covariances, "special": _SPECIAL}
    found: Tensor = eval(code, modules, names)
    return found
