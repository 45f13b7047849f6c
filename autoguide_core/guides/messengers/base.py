"""`AutoMessenger`: the base of the guides that run the model and replace its latent sites."""

from __future__ import annotations

import abc
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from pyro import poutine
from pyro.poutine import Trace
from pyro.poutine.runtime import get_plates
from torch import Tensor

from autoguide_core.guides.base import AutoGuide, Model
from autoguide_core.guides.divergence import tell_spoilt_sites, watch_sites
from autoguide_core.guides.full_size import full_size_model
from autoguide_core.guides.having_say import find_say
from autoguide_core.guides.messengers import parts, summaries
from autoguide_core.guides.messengers.handler import SiteHandler
from autoguide_core.guides.messengers.names import as_names, check_names
from autoguide_core.guides.messengers.runs import undisturbed
from autoguide_core.guides.messengers.saving import kept_model
from autoguide_core.guides.supports import site_mask

_ModuleMeta: Any = type(AutoGuide)


class MessengerMeta(abc.ABCMeta, _ModuleMeta):
    """The metaclass of a guide that is both a handler and a module."""


class AutoMessenger(AutoGuide, SiteHandler, metaclass=MessengerMeta):
    """Base class of guides that are effect handlers.

    Other guides know the model from one run at set-up. A messenger runs the model at each call and
    replaces the distribution of each latent site, when the run comes to it, by `get_posterior` of
    it. So it sees the prior as it stands in this call, given the guide's own draws upstream: its
    support may move, and sites may come and go. Pyro's ELBOs score the model in the same run (they
    take the guide's own model, and not the one that is handed to SVI).

    A derived class implements `get_posterior`, which may use `upstream_value`, ``self.trace``,
    ``self.args_kwargs`` (the model's arguments), `pyro.param`, and `pyro.sample` with
    ``infer={"is_auxiliary": True}``.

    The interface is that of ``pyro.infer.autoguide.effect``
    (https://docs.pyro.ai/en/stable/infer.autoguide.html). `TraceEnum_ELBO` refuses a messenger;
    it takes an `AutoGuideList` of one, which runs the model twice.

    Args:
        model: A Pyro model.
        amortized_plates: Names of plates along which the parameters are shared: one value serves
            all elements of the plate.

    Attributes:
        trace: The trace of the latest run.
        args_kwargs: During a call, the model's arguments as ``(args, kwargs)``.
    """

    # The supports are those of the run itself.
    _reads_supports = False

    def __init__(self, model: Model, *, amortized_plates: Iterable[str] = ()) -> None:
        super().__init__(model)
        SiteHandler.__init__(self)
        # As in Pyro, the parameters of a guide that stands alone have no prefix: "locs.x".
        self._pyro_name = ""
        self.amortized_plates = as_names(amortized_plates)
        self._outer_plates: tuple[str, ...] = ()
        self._has_sources = False
        self._is_checked = False

    @property
    def model(self) -> Model:
        """The model, which the guide runs at each call."""
        if self._model is None:
            raise RuntimeError(
                f"This {type(self).__name__} was saved without its model, which cannot be pickled "
                "(a lambda or a local function, say), and it runs its model at each call: give it "
                "back with guide.attach_model(model)."
            )
        return self._model[0]

    def attach_model(self, model: Model) -> None:
        """Give the model back to a guide that was saved without it.

        Args:
            model: The model that the guide was made for.
        """
        self._model = self._bare_model = (model,)

    # --- A call -------------------------------------------------------------------------------

    def forward(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Run the model with the guide's distributions in place.

        Args:
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            The values by site: of all sample sites, observed ones too, for a guide that stands
            alone; of the latent sites that it covers for a part of an `AutoGuideList`.
        """
        # A first call may be inside a plate of particles, over which parameters do not extend.
        self._outer_plates = tuple(frame.name for frame in get_plates())
        self.args_kwargs = args, kwargs
        is_part = self.master is not None
        try:
            with ExitStack() as stack:
                if is_part:
                    parts.enter(self, stack)
                else:
                    self._own_sites = None
                    if self._in_full_size:
                        stack.enter_context(full_size_model())
                    stack.enter_context(self)
                (self._full_model() if is_part else self.model)(*args, **kwargs)
        except ValueError:
            tell_spoilt_sites(self._latent_values())
            raise
        finally:
            del self.args_kwargs
            self._outer_plates = ()
        watch_sites(self._latent_values())
        if not self._is_checked:
            self._check_first_run()
            self._check_masked_priors(args, kwargs)
            self._is_checked = True
        if is_part:
            parts.check_sources(self, args, kwargs)
            return self._latent_values()
        return self._values()

    # --- Set-up -------------------------------------------------------------------------------

    def _ensure_prototype(self, *args: Any, **kwargs: Any) -> None:
        """Record the sites of one call, if this has not been done yet."""
        if self.master is not None:
            super()._ensure_prototype(*args, **kwargs)
        elif self.prototype_trace is None:
            self._setup_prototype(*args, **kwargs)

    def _set_up_without_data(self) -> None:
        """A guide that has been called has the parameters of the sites of that call."""
        if not self._is_checked:
            super()._set_up_without_data()

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        """Record the sites that one call covers; a part of a list then keeps to them."""
        if self.master is None:
            with undisturbed(self), poutine.block():
                self(*args, **kwargs)
                trace = self.get_traces()[0]
            for name, site in list(trace.nodes.items()):
                if site["type"] != "sample" or site["is_observed"]:
                    trace.remove_node(name)
            self.prototype_trace = trace
            return
        super()._setup_prototype(*args, **kwargs)
        # Draws of a part may follow from those of other parts: a list then draws all together.
        self._live_supports = {name: frozenset() for name, _ in self._sites()}

    def _check_first_run(self) -> None:
        """Check names that the user gave against those of the first run."""
        samples = [site for site in self.trace.nodes.values() if site["type"] == "sample"]
        plates = {frame.name for site in samples for frame in site["cond_indep_stack"]}
        plates -= set(self._outer_plates)
        check_names(self, "amortized_plates", self.amortized_plates, plates, kind="plate")

    def _check_masked_priors(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Refuse priors that are masked and have children that are not.

        With the prior such a guide would leave the entropy out, and so shrink to a point.
        """
        model = self.model if self.master is None else self._full_model()
        priors = {
            site["name"]: {**site, "fn": site["infer"]["prior"], "mask": None}
            for site in self._latent_nodes()
        }
        masks = {name: site_mask(site) for name, site in priors.items()}
        for name in find_say(model, priors, masks, args, kwargs):
            raise ValueError(
                f"The prior of site '{name}' is masked, and children of it are not: "
                f"{type(self).__name__} cannot follow that. Use AutoNormal, which takes the "
                "prior of such entries to be flat."
            )

    # --- Results ------------------------------------------------------------------------------

    def median(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """The medians of the latent sites, each given the medians upstream, at full size.

        The median of a Normal that is mapped elementwise onto a support is exact. For a joint map
        (a simplex, say) it is the image of the unconstrained median, and for distributions without
        a closed form it is taken over draws. Where a site depends on others, the median of its
        marginal, ``quantiles([0.5])``, may differ.
        """
        return summaries.median(self, args, kwargs)

    def quantiles(
        self, quantiles: Tensor | Iterable[float], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Posterior quantiles of each entry of each latent site, at full size.

        Exact for a site whose distribution is a Normal, mapped elementwise, that does not vary with
        draws upstream; over draws for the others and in a list.

        Args:
            quantiles: Probabilities, Q of them.
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            For each site a tensor of shape (Q, *full site shape).
        """
        return summaries.quantiles(self, quantiles, args, kwargs)

    def sample_posterior(self, num_samples: int, /, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Draw from the guide many times, all at once where the model can be run so.

        Args:
            num_samples: The number of draws, S.
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            For each latent site a detached tensor of shape (S, *full site shape).

        Raises:
            ValueError: A site appears in some draws only, or the model gives a plate indices of a
                part of it.
        """
        if self.master is not None:
            joint = self._root().sample_posterior(num_samples, *args, **kwargs)
            self._ensure_prototype(*args, **kwargs)
            return {name: joint[name] for name, _ in self._sites()}
        return summaries.draw(self, num_samples, args, kwargs)

    def _score(self, draws: dict[str, Tensor], /, *args: Any, **kwargs: Any) -> Tensor:
        """The guide's log density at given draws.

        All draws are scored in one run under a plate to the far left, where the model can be run
        so; one by one where it cannot.

        Args:
            draws: Constrained values of the latent sites, each (S, *full site shape); for a part
                of a list, those of the other parts too. Names that the run does not meet are
                ignored.
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            Shape (S,), float64, detached.

        Raises:
            ValueError: A latent site has no draws, or they lie outside its support.
            NotImplementedError: The guide has auxiliary draws of its own, over which its density
                would have to be integrated.
        """
        return summaries.score(self, draws, args, kwargs)

    # --- Copying and saving -------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        # The trace of the latest run has a graph, and is of no use to another process.
        trace = Trace(graph_type=self.graph_type)
        return {**super().__getstate__(), **kept_model(self), "trace": trace}

    def __deepcopy__(self, memo: dict[int, Any]) -> AutoMessenger:
        memo[id(self.trace)] = Trace(graph_type=self.graph_type)
        twin: AutoMessenger = super().__deepcopy__(memo)
        return twin
