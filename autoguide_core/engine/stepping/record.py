"""What a checkpoint holds, and whether it can be what a run has written down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeInt,
    Strict,
    StrictInt,
    StrictStr,
    ValidationError,
)
from torch import Tensor

from autoguide_core.engine.stepping.progressed import Progressed

_RUNNERS = frozenset(("native", "cuda", "graph", "eager", "plain"))


class _Strict(BaseModel):
    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", arbitrary_types_allowed=True
    )


def _dense(value: Tensor) -> Tensor:
    if value.layout != torch.strided or value.is_quantized:
        raise ValueError("is no dense tensor")
    return value.detach().resolve_neg()


_Dense = Annotated[Tensor, AfterValidator(_dense)]


class DriftRecord(_Strict):
    """What `convergence.Drift` has noted."""

    start: dict[str, _Dense]
    path: Annotated[FiniteFloat, Field(ge=0)]
    ratio: Annotated[FiniteFloat, Field(ge=0)]
    name: str | None


class Record(_Strict):
    """A run as it is written down.

    Attributes:
        format: Version of this form.
        fingerprint: What tells the fit from others, by names for the user.
        state: The state after ``done`` steps.
        done: Steps made.
        elbo: The ELBO in nats at each of them, float64, (done,).
        drift: How straight the parameters have travelled.
        engines: Each runner that has stepped, with its first step (from 0).
        surroundings: What the last digits depend on besides.
    """

    format: Literal[1]
    fingerprint: dict[str, str]
    state: dict[str, _Dense]
    done: NonNegativeInt
    elbo: _Dense
    drift: DriftRecord
    engines: Annotated[
        list[Annotated[tuple[StrictStr, StrictInt], Strict(False)]], Field(min_length=1)
    ]
    surroundings: dict[str, str]

    def problems(self, progressed: Progressed) -> Iterator[str]:
        """Yield why a run cannot have written this; nothing where it can.

        Args:
            progressed: The run at its start.
        """
        yield from _unlike("state", self.state, progressed.state)
        yield from _unlike("drift.start", self.drift.start, progressed.drift.parameters, some=True)
        furthest = self.drift.name
        if furthest not in progressed.drift.parameters if self.drift.ratio else furthest:
            yield f"drift.name is {furthest!r} for a ratio of {self.drift.ratio:g}"
        if self.done > len(progressed.elbo):
            yield f"done is {self.done:,} of {len(progressed.elbo):,} steps"
        if self.elbo.shape != (self.done,) or self.elbo.dtype != torch.float64:
            yield f"elbo is {_form(self.elbo)} after {self.done:,} steps"
        elif not bool(self.elbo.isfinite().all()):
            yield "elbo holds numbers that are not finite"
        firsts = [first for _, first in self.engines]
        if unknown := {name for name, _ in self.engines} - _RUNNERS:
            yield f"engines names {min(unknown)!r}"
        if firsts != sorted(set(firsts)) or firsts[0] != 0 or firsts[-1] >= max(self.done, 1):
            yield f"engines begin at the steps {', '.join(map(str, firsts))}"


def read_record(content: Any) -> Record:
    """Return what was read as a record.

    Raises:
        ValueError: It is none; the message names the field.
    """
    try:
        return Record.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        message = first["msg"]
        raise ValueError(f"{place}: {message[:1].lower()}{message[1:]}") from None


def _unlike(
    what: str, there: Mapping[str, Tensor], here: Mapping[str, Tensor], *, some: bool = False
) -> Iterator[str]:
    """Yield in what tensors are unlike those of this run; with ``some``, there may be none."""
    if there.keys() != here.keys() and not (some and not there):
        odd = sorted(there.keys() ^ here.keys())
        yield f"{what} has {odd[0]!r} too many" if odd[0] in there else f"{what} lacks {odd[0]!r}"
    for name in sorted(there.keys() & here.keys()):
        value, own = there[name], here[name]
        if value.shape != own.shape or value.dtype != own.dtype:
            yield f"{what}.{name} is {_form(value)} where {_form(own)} is needed"
        elif bool(value.isnan().any()):
            yield f"{what}.{name} holds NaN"


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"
