"""The unconstrained log posterior density of a model, as a function of one flat vector."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import torch
from pyro import poutine
from pyro.poutine import Trace
from pyro.poutine.messenger import Messenger
from torch.distributions import biject_to

from autoguide_core.distributions.circle import is_circular
from autoguide_core.engine.isolation import python_generators
from autoguide_core.engine.joint import joint_trace, marginalised_sites, plate_depth, unscored_trace
from autoguide_core.engine.kept import Buffers, kept_values, what_changed
from autoguide_core.engine.precision import double_precision, to_double
from autoguide_core.engine.refusals import REFUSALS, is_refusal
from autoguide_core.engine.structure import Model, is_latent
from autoguide_core.initialization import START_RADII, InitMessenger, init_to_uniform
from autoguide_core.noncentring import Conditional, FollowerFinder, location_scale
from autoguide_core.validation import Validation

Knowledge = Mapping[str, tuple[torch.Tensor, torch.Tensor]]
"""Precision and pull by site; see ``Conditional``."""


class LogDensity:
    """``log p(z, data) + log |det dz/du|`` at an unconstrained point u, in double precision.

    Each latent site is mapped from real space by ``biject_to`` of its support, read anew in each
    run, so that a support that depends on other sites is right. Sites marked
    ``infer={"enumerate": "parallel"}`` are summed out exactly.

    Args:
        model: The model.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        layout: Shape of each latent's unconstrained value, in the order of the flat vector; by
            default that of a run of the model, in its own order.

    Attributes:
        layout: As given or found.
        dim: Length D of the flat vector.
        numbers: How many numbers the model draws or observes in one run.
    """

    def __init__(
        self,
        model: Model,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        layout: Mapping[str, torch.Size] | None = None,
    ) -> None:
        self._model = model
        self._args, self._kwargs = to_double((tuple(args), dict(kwargs or {})))
        trace = self._any_run()
        marginalised = marginalised_sites(trace)
        self._depth = plate_depth(trace) if marginalised else None
        self.layout = (
            dict(layout)
            if layout is not None
            else {
                name: biject_to(site["fn"].support).inv(site["value"]).shape
                for name, site in trace.nodes.items()
                if is_latent(site) and name not in marginalised
            }
        )
        self.dim = sum(shape.numel() for shape in self.layout.values())
        self._circular_sites = frozenset(
            name for name in self.layout if is_circular(trace.nodes[name]["fn"].support)
        )
        self.numbers = sum(
            math.prod(getattr(site["fn"], "batch_shape", ()))  # not always a torch.Size
            for site in trace.nodes.values()
            if site["type"] == "sample"
        )

    def __call__(self, point: torch.Tensor, knowledge: torch.Tensor | None = None) -> torch.Tensor:
        """Evaluate at one point.

        Args:
            point: The unconstrained latents, shape (D,), float64; those of non-centred sites in
                standard scale where there is knowledge.
            knowledge: What the rest of the model tells of each latent, as precision and pull of
                ``Conditional``, shape (2, D); zero where a site is as the model draws it. None
                for the model's own coordinates.

        Returns:
            The log density in nats up to the evidence, a scalar.
        """
        constrain = _Constrain(self.unpack(point), self._known(knowledge))
        log_joint, _ = self._run(constrain)
        return log_joint + constrain.log_det

    def finite_point(self, first: torch.Tensor, seed: int, *known: torch.Tensor) -> torch.Tensor:
        """A point at which log density and gradient are finite, to record the density at.

        Args:
            first: The point that is taken if it is one, shape (D,).
            seed: Seed of the random points that are tried else; see ``START_RADII``.
            *known: See a call's ``knowledge``.

        Returns:
            The point; ``first`` where none was found.
        """
        generator = torch.Generator(device=first.device).manual_seed(seed)
        point = first
        for radius in START_RADII:
            with contextlib.suppress(*REFUSALS):
                if self._is_good(point, *known):
                    return point
            unit = torch.rand(self.dim, generator=generator, dtype=first.dtype, device=first.device)
            point = radius * (2.0 * unit - 1.0)
        return first

    def _is_good(self, point: torch.Tensor, *known: torch.Tensor) -> bool:
        """Whether the log density and its gradient are finite at a point."""
        with torch.enable_grad():  # which a model may take on its own, too
            leaf = point.detach().requires_grad_()
            value = self(leaf, *known)
            is_finite = math.isfinite(float(value.detach()))
            if not is_finite or not value.requires_grad:
                return is_finite
            (slope,) = torch.autograd.grad(value, leaf)
        return bool(slope.isfinite().all())

    def nudged(
        self, point: torch.Tensor, knowledge: torch.Tensor, nudge: torch.Tensor
    ) -> torch.Tensor:
        """The log density where all but the sites' own priors see them moved by a nudge (D,)."""
        constrain = _Constrain(self.unpack(point), self._known(knowledge), self.unpack(nudge))
        log_joint, _ = self._run(constrain)
        return log_joint

    def values(
        self, point: torch.Tensor, knowledge: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """The latents' values on their supports at a point; arguments as those of a call."""
        constrain = _Constrain(self.unpack(point), self._known(knowledge))
        with _unseen():
            trace = unscored_trace(constrain(self._model), self._args, self._kwargs, self._depth)
        return {name: trace.nodes[name]["value"] for name in self.layout}

    def to_centred(self, point: torch.Tensor, knowledge: torch.Tensor) -> torch.Tensor:
        """The point in the model's own coordinates of a non-centred one; both (D,)."""
        constrain = _Constrain(self.unpack(point), self._known(knowledge))
        self._run(constrain)
        return torch.cat([constrain.unconstrained[name].reshape(-1) for name in self.layout])

    @cached_property
    def noncentrable(self) -> torch.Tensor:
        """Which latents' priors have a location or scale that depends on others; bool, (D,)."""
        return self._entries_of(self._noncentrable_sites)

    @cached_property
    def circular(self) -> torch.Tensor:
        """Which latents are angles, of any turn; bool, (D,)."""
        return self._entries_of(self._circular_sites)

    @cached_property
    def _noncentrable_sites(self) -> frozenset[str]:
        finder = FollowerFinder(self.layout)
        at_zero = _Constrain(self.unpack(torch.zeros(self.dim, dtype=torch.float64)))
        with torch.enable_grad():
            self._run(lambda model: finder(at_zero(model)))
        return frozenset(finder.found)

    def unrepeatable(self) -> str | None:
        """Why another evaluation at a point may give another density; None if nothing shows it."""
        roots = self._model, self._args, self._kwargs
        buffers, kept = Buffers(*roots), kept_values(*roots)
        drawn = torch.get_rng_state(), python_generators()
        point = torch.zeros(self.dim, dtype=torch.float64)
        values: list[torch.Tensor] = []
        with contextlib.suppress(Exception):  # what is wrong there is another matter
            values = [self(point), self(point)]
        if not torch.equal(drawn[0], torch.get_rng_state()) or drawn[1] != python_generators():
            return "the model draws random numbers that are none of its sites"
        if values and not torch.equal(*values) and not all(value.isnan() for value in values):
            return "the model's density changes from call to call"
        return buffers.what_changed() or what_changed(kept, kept_values(*roots))

    def _entries_of(self, sites: frozenset[str]) -> torch.Tensor:
        return torch.cat(
            [torch.full((shape.numel(),), name in sites) for name, shape in self.layout.items()]
        )

    def unpack(self, point: torch.Tensor) -> dict[str, torch.Tensor]:
        """Split a flat vector into the sites' unconstrained values."""
        values, at = {}, 0
        for name, shape in self.layout.items():
            values[name] = point[at : at + shape.numel()].reshape(shape)
            at += shape.numel()
        return values

    def _any_run(self) -> Trace:
        """A run at a draw of the prior, for shapes alone, or at another point if it is refused."""
        refusal: Exception | None = None
        for radius in (None, *START_RADII):
            model = self._model
            if radius is not None:
                model = InitMessenger(init_to_uniform(radius=radius))(model)
            # A draw of a wide prior may be anything.
            with _unseen():
                try:
                    return poutine.trace(model).get_trace(*self._args, **self._kwargs)
                except Exception as error:
                    if not is_refusal(error):
                        raise
                    refusal = refusal or error
        assert refusal is not None
        raise refusal

    def _known(self, knowledge: torch.Tensor | None) -> Knowledge | None:
        if knowledge is None:
            return None
        precision, pull = self.unpack(knowledge[0]), self.unpack(knowledge[1])
        return {name: (precision[name], pull[name]) for name in self._noncentrable_sites}

    def _run(self, handler: Callable[[Model], Model]) -> tuple[torch.Tensor, Trace]:
        with _unseen():
            trace, log_joint = joint_trace(
                handler(self._model), self._args, self._kwargs, self._depth
            )
        return log_joint, trace


@contextlib.contextmanager
def _unseen() -> Iterator[None]:
    """Double precision without validation, seen by no handler outside."""
    with double_precision(), poutine.block(), Validation(False):
        yield


class _Constrain(Messenger):
    """Gives sites the constrained images of real values, and adds up the log Jacobians.

    Args:
        given: Real values by site.
        knowledge: What is known of the sites to be non-centred; see ``Conditional``.
        nudge: By how much all but a site's own prior see its unconstrained value moved.
    """

    def __init__(
        self,
        given: Mapping[str, torch.Tensor],
        knowledge: Knowledge | None = None,
        nudge: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        super().__init__()
        self._given, self._knowledge, self._nudge = given, knowledge or {}, nudge
        self.unconstrained: dict[str, torch.Tensor] = {}
        self.log_det: torch.Tensor | float = 0.0

    def _pyro_sample(self, msg: Any) -> None:
        name = msg["name"]
        value = self._given.get(name)
        if value is None:
            return
        if name in self._knowledge and (prior := location_scale(msg["fn"])) is not None:
            value, log_det = Conditional(prior, *self._knowledge[name])(value)
            self.log_det = self.log_det + log_det.sum()
        self.unconstrained[name] = value
        transform = biject_to(msg["fn"].support)
        msg["value"] = transform(value)
        self.log_det = self.log_det + transform.log_abs_det_jacobian(value, msg["value"]).sum()

    def _pyro_post_sample(self, msg: Any) -> None:
        name = msg["name"]
        if self._nudge is not None and name in self._knowledge:
            moved = self.unconstrained[name] + self._nudge[name]
            msg["value"] = biject_to(msg["fn"].support)(moved)
