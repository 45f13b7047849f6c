"""`AutoNoncenteredMultivariateNormal`: one Normal over latents drawn relative to their parents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from pyro import poutine
from pyro.distributions.util import sum_rightmost
from pyro.infer import config_enumerate
from pyro.util import get_rng_state, set_rng_state
from torch import Tensor
from torch.distributions import biject_to

from autoguide_core.guides.base import AutoGuide
from autoguide_core.guides.following import Follow, Knowledge, RandomDraws, under_draws
from autoguide_core.guides.live import Substitute
from autoguide_core.guides.multivariate import AutoMultivariateNormal
from autoguide_core.guides.scales import DEFAULT_SCALE, InitScale
from autoguide_core.guides.supports import constrain, hold_masked, unconstrained_value
from autoguide_core.initialization import InitStrategy, Site, init_to_median
from autoguide_core.noncentring import Conditional, FollowerFinder, location_scale


class AutoNoncenteredMultivariateNormal(AutoMultivariateNormal):
    """A full-rank Normal guide in which a latent is drawn relative to what its prior follows.

    In ``theta ~ Normal(mu, tau)`` the posterior of theta moves and widens with mu and tau, which no
    Normal over all three can hold. Here a site whose prior has a location or a scale that depends
    on other latents *follows* them: the Normal is over its standard number, and its value is the
    mean plus the root of the variance times that number, both given the parents' draws. Sites that
    follow nobody are as in `AutoMultivariateNormal`, and so is all the rest of the guide.

    What mean and variance are is set by ``knowledge``, as in `Conditional`: with a precision of
    zero they are those of the prior, so that the model might as well have been written non-centred;
    with that of a Normal observation they are the posterior's given the parents. The guide starts
    with zeros, and training leaves them alone.

    The guide runs the model once in each call, up to the last of its sites.

    Source: Papaspiliopoulos, Roberts and Sköld, "A general framework for the parametrization of
    hierarchical models" (2007).

    Args:
        model: A Pyro model.
        init_loc_fn: The initialisation strategy of the location.
        init_scale: The initial scale, in unconstrained space or of standard numbers; or scales by
            site name, 0.1 for the rest.

    Attributes:
        loc: The location, shape (D,); of standard numbers for sites that follow others.
        scale: Positive, shape (D,).
        scale_tril: Unit lower triangular, shape (D, D).
        knowledge: A buffer: the precision, not negative, and the pull of each entry, as in
            `Conditional`; shape (2, D). Entries of sites that follow nobody are not used.
        parents: The sites that follow others, and whom; empty before the first call.
    """

    knowledge: Tensor
    parents: dict[str, frozenset[str]]

    def __init__(
        self,
        model: Callable[..., Any],
        init_loc_fn: InitStrategy = init_to_median,
        init_scale: InitScale = DEFAULT_SCALE,
    ) -> None:
        super().__init__(model, init_loc_fn=init_loc_fn, init_scale=init_scale)
        self.parents = {}
        self._first_numbers: dict[str, Tensor] = {}

    # --- Set-up -------------------------------------------------------------------------------

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        self.register_buffer("knowledge", self.loc.detach().new_zeros(2, self.latent_dim))

    def _find_live_sites(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super()._find_live_sites(args, kwargs)
        free = {name: unconstrained_value(site) for name, site in self._sites()}
        finder = FollowerFinder({name: value.shape for name, value in free.items()})
        given = Substitute({}, self._first_values(), {})
        # Summed out or not, a discrete latent is enumerated here: the finder knows it by its dim.
        drawn = RandomDraws()
        model = drawn(finder(given(config_enumerate(self._full_model()))))
        rng_state = get_rng_state()
        try:
            with torch.enable_grad(), poutine.block():
                poutine.enum(model, first_available_dim=-1 - self._root()._plate_depth)(
                    *args, **kwargs
                )
        finally:
            set_rng_state(rng_state)
        found = {name: f for name, f in finder.found.items() if name not in drawn.later}
        self.parents = {name: follower.parents for name, follower in found.items()}
        self._first_numbers = {}
        for name, follower in found.items():
            nothing = torch.zeros_like(free[name])
            standard = Conditional(follower.prior, nothing, nothing).inverse(free[name])
            self._first_numbers[name] = standard.detach()

    def _first_values(self) -> dict[str, Tensor]:
        """Where the parts of the guide start, as far as they are set up; on the supports."""
        values = {}
        for part in self._root().modules():
            if isinstance(part, AutoGuide) and part.prototype_trace is not None:
                for name, site in part._sites():
                    if not site["fn"].has_enumerate_support:
                        values[name] = site["value"].detach()
        return values

    def _init_loc(self) -> Tensor:
        parts = [
            self._first_numbers.get(name, unconstrained_value(site)).reshape(-1)
            for name, site in self._sites()
        ]
        return torch.cat(parts)

    def _sources(self) -> Mapping[str, frozenset[str]]:
        return {**self._live_supports, **self.parents}

    # --- In a call ----------------------------------------------------------------------------

    def _images(
        self, unconstrained: Mapping[str, Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Iterator[tuple[str, Site, Tensor, Tensor | float]]:
        """Map draws to the sites in one run of the model; those of followers are standard numbers.

        See `UnconstrainedGuide._images`.
        """
        if not self.parents:
            yield from super()._images(unconstrained, args, kwargs)
            return
        run = self._followed(self._root()._emitted, unconstrained, args, kwargs)
        with_density = poutine.get_mask() is not False
        for name, site in self._sites():
            now, draw, event_dim = run.sites[name], unconstrained[name], site["fn"].event_dim
            mask = self._mask_of(now)
            value, log_density = constrain(
                now["fn"].support, event_dim, run.free[name], mask, with_density=with_density
            )
            if with_density:
                draw_event_dim = event_dim + draw.dim() - value.dim()
                if name in run.log_dets:
                    log_det = run.log_dets[name]
                    extra = draw_event_dim - (draw.dim() - log_det.dim())
                    log_density = log_density - sum_rightmost(log_det, extra)
                log_density = hold_masked(log_density, draw, draw_event_dim, mask)
            yield name, site, value, log_density

    def _followed(
        self,
        values: Mapping[str, Tensor],
        draws: Mapping[str, Tensor],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Follow:
        """Run the model with values of some sites and draws of others, up to the guide's last."""
        self._check_live_sources(self._root(), values)
        wanted = [name for name, _ in self._sites()]
        handler = Follow(self.plates, values, draws, wanted, self._known())
        handler.run(self._full_model(), args, kwargs)
        return handler

    def _known(self) -> Knowledge:
        """Precision and pull of the sites that follow others, each of the site's shape."""
        rows = zip(*map(self._unpack_latent, self.knowledge.unbind()), strict=True)
        return {
            site["name"]: (precision, pull)
            for (site, precision), (_, pull) in rows
            if site["name"] in self.parents
        }

    # --- Results ------------------------------------------------------------------------------

    def _marginals(self, *args: Any, **kwargs: Any) -> dict[str, tuple[Tensor, Tensor]]:
        marginals = super()._marginals(*args, **kwargs)
        return {name: pair for name, pair in marginals.items() if name not in self.parents}

    def _unconstrained_draws(
        self, num_samples: int, /, *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Draws of the sites that follow others; of all sites where none does."""
        if not self.parents:
            return super()._unconstrained_draws(num_samples, *args, **kwargs)
        draws = self.sample_posterior(num_samples, *args, **kwargs)
        return {name: biject_to(self._supports[name]).inv(draws[name]) for name in self.parents}

    def _score(self, draws: dict[str, Tensor], /, *args: Any, **kwargs: Any) -> Tensor:
        if not self.parents:
            return super()._score(draws, *args, **kwargs)
        root = self._root()
        nodes, depth = root.prototype_trace.nodes, root._plate_depth
        values = {
            name: under_draws(value, nodes[name]["fn"].event_dim, depth)
            for name, value in draws.items()
            if name in nodes
        }
        with self._full_size_plates():
            root._create_plates(*args, **kwargs)
            self.plates = root.plates
            run = self._followed(values, {}, args, kwargs)
        known = self._known()
        standard, log_jacobian = {}, 0.0
        for name, _ in self._sites():
            fn, value = run.sites[name]["fn"], values[name]
            transform = biject_to(fn.support)
            draw = transform.inv(value)
            log_dets = [transform.log_abs_det_jacobian(draw, value)]
            prior = location_scale(fn) if name in known else None
            if prior is not None:
                conditional = Conditional(prior, *known[name])
                draw = conditional.inverse(draw)
                log_dets.append(conditional(draw)[1])
            standard[name] = draw
            for log_det in log_dets:
                log_jacobian = log_jacobian + log_det.reshape(len(value), -1).sum(1)
        return self._score_unconstrained(standard) - log_jacobian
