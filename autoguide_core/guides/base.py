"""The base of all automatic guides: prototype, plates, master and the common methods."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, TypeAlias

import pyro
import torch
from pyro import poutine
from pyro.poutine.util import site_is_subsample
from torch import Tensor, nn
from torch.distributions import biject_to

from autoguide_core.guides.copying import copied_state, saved_state
from autoguide_core.guides.draws import NUM_QUANTILE_DRAWS, align_draws, quantiles_of_draws
from autoguide_core.guides.having_say import Say, counted, find_say
from autoguide_core.guides.live import (
    MINIBATCH,
    ModelWatcher,
    current_sites,
    given_indices,
    support_sources,
)
from autoguide_core.guides.loading import LoadableModule
from autoguide_core.guides.minibatches import refuse_partial_plates
from autoguide_core.guides.posterior import GuidePosterior
from autoguide_core.guides.supports import (
    SiteMask,
    full_shape,
    full_size,
    is_subsampled,
    site_mask,
    steady_support,
)
from autoguide_core.initialization import InitMessenger, InitStrategy, Site

Model: TypeAlias = Callable[..., Any]
CreatePlates: TypeAlias = Callable[..., Any]

_SAMPLE_PLATE = "_sample_posterior"


@contextmanager
def _all_of(plates: Iterable[AbstractContextManager[Any]]) -> Iterator[None]:
    with ExitStack() as stack:
        for plate in plates:
            stack.enter_context(plate)
        yield


def is_not_latent(msg: Site) -> bool:
    """Whether a message is of no concern to a guide: a parameter, observation or index draw."""
    return bool(msg["type"] != "sample" or msg["is_observed"] or site_is_subsample(msg))


class AutoGuide(LoadableModule):
    """Base class of automatic guides.

    A guide learns the shape of its model from one run, the *prototype*, at its first call, and
    makes its parameters then. Derived classes implement ``forward`` with the model's arguments, and
    usually extend ``_setup_prototype`` to make their parameters. Guides can be used alone or as the
    parts of an `AutoGuideList`.

    The interface is that of Pyro's "Automatic Guide Generation"
    (https://docs.pyro.ai/en/stable/infer.autoguide.html).

    Args:
        model: A Pyro model. It is not registered as a submodule.
        create_plates: Called with the model's arguments; returns a `pyro.plate` or several, which
            are used in place of the plates of the same names. Use it to control subsampling.

    Attributes:
        master: A weak reference to the outermost `AutoGuideList`, or None.
        prototype_trace: The trace of the model's first run, latent sites only; None before it.
        plates: The plates of the latest call, by name.
    """

    master: weakref.ref[AutoGuide] | None
    prototype_trace: Any
    plates: dict[str, Any]

    # Whether the family maps draws onto the supports of its sites.
    _reads_supports = True

    def __init__(self, model: Model, *, create_plates: CreatePlates | None = None) -> None:
        if not callable(model):
            raise ValueError(f"Expected the model to be a function, but got {model!r}.")
        if create_plates is not None and not callable(create_plates):
            raise ValueError(
                "Expected create_plates to be a function of the model's arguments that returns "
                f"plates, but got {create_plates!r}."
            )
        super().__init__(name=type(self).__name__)
        self.master = None
        # In tuples, so that a model that is a module does not become a submodule of the guide.
        self._model: tuple[Model] | None = (model,)
        self._bare_model: tuple[Model] | None = (model,)
        self._init_messenger: InitMessenger | None = None
        self.init_loc_fn: InitStrategy | None = None
        self.create_plates = create_plates
        self.prototype_trace = None
        self.plates = {}
        self._prototype_frames: dict[str, Any] = {}
        self._supports: dict[str, Any] = {}
        self._live_supports: dict[str, frozenset[str]] = {}
        self._masks: dict[str, SiteMask] = {}
        self._say: dict[str, Say] = {}
        self._has_given_indices = False
        self._plate_depth = 0
        self._plate_devices: dict[str, Any] = {}
        self._in_full_size = False
        self._emitted: dict[str, Tensor] = {}

    @property
    def model(self) -> Model:
        """The model, with the initialisation of the guide around it."""
        if self._model is None:
            raise RuntimeError(
                f"This {type(self).__name__} was loaded from a file, and a model is not saved with "
                "its guide: it can be sampled, but not set up anew."
            )
        return self._model[0]

    # --- Set-up -------------------------------------------------------------------------------

    def _initialise_with(self, init_loc_fn: InitStrategy) -> None:
        """Wrap the model so that its prototype run starts where ``init_loc_fn`` says."""
        assert self._bare_model is not None
        if not callable(init_loc_fn):
            raise ValueError(
                f"Expected init_loc_fn to be a strategy like init_to_median, but got "
                f"{init_loc_fn!r}."
            )
        self.init_loc_fn = init_loc_fn
        self._init_messenger = InitMessenger(init_loc_fn)
        self._model = (self._init_messenger(self._bare_model[0]),)

    _prototype_hide_fn = staticmethod(is_not_latent)

    def _prototype_model(self) -> Model:
        """The model as the prototype run sees it."""
        return self.model

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        """Run the model once and record its latent sites and their plates."""
        watcher = ModelWatcher()
        model = poutine.block(watcher(self._prototype_model()), self._prototype_hide_fn)
        trace = poutine.block(poutine.trace(model).get_trace)(*args, **kwargs)
        self.prototype_trace = trace
        if self._init_messenger is not None:
            self._init_messenger.check_names()
        if self.master is not None:
            self._root()._check_prototype(trace, self)
        self._prototype_frames = {}
        for name, site in trace.iter_stochastic_nodes():
            for frame in site["cond_indep_stack"]:
                if not frame.vectorized:
                    raise NotImplementedError(
                        f"{type(self).__name__} does not support sequential pyro.plate: site "
                        f"'{name}' is in the sequential plate '{frame.name}'."
                    )
                self._prototype_frames[frame.name] = frame
        self._plate_depth = watcher.plate_depth
        self._plate_devices = watcher.plate_devices
        self._has_given_indices = not watcher.given_indices.keys().isdisjoint(
            self._prototype_frames
        )
        self._find_live_sites(args, kwargs)

    def _find_live_sites(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Record which sites have a support or a mask that may change from call to call."""
        sites = dict(self._sites())
        masks = {name: site_mask(site) for name, site in sites.items()}
        self._say = find_say(self._full_model(), sites, masks, args, kwargs)
        self._masks = {name: self._mask_of(site) for name, site in sites.items()}
        if self._reads_supports:
            self._live_supports = support_sources(self._full_model(), sites, args, kwargs)
            for name, site in sites.items():
                self._supports[name], is_steady = steady_support(site)
                if not is_steady:
                    sources = self._live_supports.get(name, frozenset())
                    self._live_supports[name] = sources | {MINIBATCH}

    def _check_prototype(self, part_trace: Any, part: AutoGuide) -> None:
        """Check the prototype of a part against this guide's own; lists do."""

    def _ensure_prototype(self, *args: Any, **kwargs: Any) -> None:
        """Set the guide up, if this has not been done yet; its master first."""
        if self.master is not None:
            self._root()._ensure_prototype(*args, **kwargs)
        if self.prototype_trace is None:
            try:
                with self._with_loaded_parameters():
                    self._setup_prototype(*args, **kwargs)
            except BaseException:
                # Otherwise the next call would take a half-made guide for a whole one.
                self.prototype_trace = None
                raise

    def _sites(self) -> Iterator[tuple[str, Site]]:
        """The latent sites of the prototype, in the model's order."""
        yield from self.prototype_trace.iter_stochastic_nodes()

    # --- Master -------------------------------------------------------------------------------

    def _root(self) -> AutoGuide:
        """The outermost list, or the guide itself if it is in none."""
        root = self if self.master is None else self.master()
        if root is None:
            raise RuntimeError(
                f"The AutoGuideList that this {type(self).__name__} was added to is gone."
            )
        return root

    def _full_model(self) -> Model:
        """The model of the outermost guide, without any initialisation around it."""
        bare = self._root()._bare_model
        if bare is None:
            raise RuntimeError("The guide was loaded from a file, without its model.")
        return bare[0]

    def _update_master(self, master: weakref.ref[AutoGuide]) -> None:
        self.master = master
        for part in self.modules():
            if part is not self and isinstance(part, AutoGuide):
                part.master = master

    def add_module(self, name: str, module: nn.Module | None) -> None:
        """Add a submodule; a guide among them becomes a part with this guide's master."""
        if isinstance(module, AutoGuide):
            module._update_master(weakref.ref(self) if self.master is None else self.master)
        super().add_module(name, module)

    # --- Plates -------------------------------------------------------------------------------

    def _create_plates(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Make the plates of this call, or take them from the master."""
        if self.master is not None:
            if self.create_plates is not None:
                raise ValueError("Cannot pass create_plates() to a part: give it to the list.")
            self.plates = self._root().plates
            return self.plates
        self.plates = {}
        if self.create_plates is not None and not self._in_full_size:
            created = self.create_plates(*args, **kwargs)
            created = [created] if isinstance(created, pyro.plate) else list(created)
            if not all(isinstance(plate, pyro.plate) for plate in created):
                raise ValueError("create_plates() returned something that is not a pyro.plate.")
            self.plates = {plate.name: plate for plate in created}
        given: dict[str, Tensor] = {}
        has_own = self._prototype_frames.keys() <= self.plates.keys()
        if self._has_given_indices and not has_own and not self._in_full_size:
            given = given_indices(self._full_model(), args, kwargs)
        for name, frame in sorted(self._prototype_frames.items()):
            if name not in self.plates:
                indices = given.get(name)
                subsample_size = None if self._in_full_size or name in given else frame.size
                self.plates[name] = pyro.plate(
                    name,
                    full_size(frame),
                    subsample_size,
                    subsample=indices,
                    dim=frame.dim,
                    device=self._plate_devices.get(name),
                )
        return self.plates

    def _site_plates(self, site: Site) -> AbstractContextManager[Any]:
        """The plates of a site, to be entered by ``with``."""
        frames = site["cond_indep_stack"]
        if not frames:
            return nullcontext()
        if len(frames) == 1:
            plate: AbstractContextManager[Any] = self.plates[frames[0].name]
            return plate
        return _all_of([self.plates[frame.name] for frame in frames])

    def _is_any_partial(self, names: Iterable[str]) -> bool:
        """Whether a plate of these sites takes a minibatch in this call, as it need not always."""
        partial = {name for name, plate in self.plates.items() if plate.subsample_size < plate.size}
        nodes = self.prototype_trace.nodes
        return bool(partial) and any(
            frame.name in partial for name in names for frame in nodes[name]["cond_indep_stack"]
        )

    def _refuse_partial_plates(self) -> None:
        """Check that all plates of this call are whole, for families that draw sites jointly."""
        root = self._root()
        if root._has_given_indices or root.create_plates is not None:
            refuse_partial_plates(type(self).__name__, self._sites(), self.plates)

    @contextmanager
    def _full_size_plates(self) -> Iterator[None]:
        """Inside, every plate has its full size, and nothing is seen by handlers outside."""
        root = self._root()
        root._in_full_size = True
        try:
            with poutine.block():
                yield
        finally:
            root._in_full_size = False

    # --- Live sites ---------------------------------------------------------------------------

    def _current_masks(self, *args: Any, **kwargs: Any) -> dict[str, SiteMask]:
        """The mask of each site of the prototype in this call."""
        if self._in_full_size or poutine.get_mask() is False:
            return self._masks
        if not any(mask.is_dynamic for mask in self._masks.values()):
            return self._masks
        now = current_sites(
            self._full_model(),
            args,
            kwargs,
            plates=self.plates,
            values=self._root()._emitted,
            unconstrained={},
            wanted=self._masks,
        )
        return {name: self._mask_of(now[name]) for name in self._masks}

    def _mask_of(self, site: Site) -> SiteMask:
        """What a site's mask leaves out of the guide."""
        return counted(site_mask(site), self._say.get(site["name"]))

    def _current_supports(
        self, unconstrained: Mapping[str, Tensor], *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        """The support of each site of the prototype, given the guide's draws in this call."""
        if not self._live_supports:
            return self._supports
        root = self._root()
        self._check_live_sources(root, root._emitted)
        now = current_sites(
            self._full_model(),
            args,
            kwargs,
            plates=self.plates,
            values=root._emitted,
            unconstrained=unconstrained,
            wanted=self._live_supports,
        )
        return self._supports | {name: now[name]["fn"].support for name in self._live_supports}

    def _on_supports(
        self, unconstrained: Mapping[str, Tensor], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Map full-size unconstrained values onto the supports, outside of any call."""
        with torch.no_grad(), self._full_size_plates():
            if self._live_supports:
                self._root()._create_plates(*args, **kwargs)
                self.plates = self._root().plates
            supports = self._current_supports(unconstrained, *args, **kwargs)
            # Cloned: the transform of a real site is the identity, and gives the parameter itself.
            return {
                name: biject_to(supports[name])(value).detach().clone()
                for name, value in unconstrained.items()
            }

    def _sources(self) -> Mapping[str, frozenset[str]]:
        """The sites onto which draws are not always mapped alike, and on what the map depends."""
        return self._live_supports

    def _foreign_sources(self) -> frozenset[str]:
        """The sites of other parts on which this part's maps onto its sites depend."""
        latents = {name for name, _ in self._root()._sites()}
        own = {name for name, _ in self._sites()}
        return frozenset().union(*self._sources().values()) & (latents - own)

    def _check_live_sources(self, root: AutoGuide, known: Collection[str]) -> None:
        foreign = self._foreign_sources()
        for name, sources in self._sources().items():
            for source in sorted(foreign & sources):
                if source not in known:
                    what = "support" if name in self._live_supports else "prior"
                    raise ValueError(
                        f"The {what} of site '{name}' depends on site '{source}', which no "
                        "earlier part of the AutoGuideList covers: put the part that covers "
                        f"'{source}' before the one that covers '{name}'."
                    )
            if name not in self._live_supports:
                continue
            if root._in_full_size and any(map(is_subsampled, root._prototype_frames.values())):
                raise NotImplementedError(
                    f"The support of site '{name}' changes from call to call, and the model has a "
                    "subsampled plate: full-size summaries cannot be computed for it."
                )

    # --- Results ------------------------------------------------------------------------------

    def call(self, *args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
        """Call the guide and return the values as a tuple, in the order of the site names.

        Unlike the guide's own call, which returns a dict, this can be traced by
        ``torch.jit.trace_module(guide, {"call": args})``.
        """
        result = self(*args, **kwargs)
        return tuple(value for _, value in sorted(result.items()))

    def sample_latent(self, *args: Any, **kwargs: Any) -> Any:
        """Draw the guide's packed latent, in families that have one; None in the others."""
        return None

    def median(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """The posterior median of each latent site.

        Raises:
            NotImplementedError: The family has none; all families of this package have.
        """
        raise NotImplementedError(f"{type(self).__name__} has no median().")

    def quantiles(
        self, quantiles: Tensor | Iterable[float], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Posterior quantiles of each entry of each latent site.

        By default they are taken over draws; families override this where there is a closed form.

        Args:
            quantiles: Probabilities, Q of them.
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            For each site a tensor of shape (Q, *full site shape).
        """
        draws = self.sample_posterior(NUM_QUANTILE_DRAWS, *args, **kwargs)
        return {name: quantiles_of_draws(values, quantiles) for name, values in draws.items()}

    def sample_posterior(self, num_samples: int, /, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Draw from the guide many times at once.

        By default the guide runs once inside a plate of ``num_samples`` to the left of all others.

        Args:
            num_samples: The number of draws.
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            For each site that the guide covers a detached tensor of shape
            (num_samples, *full site shape), where a subsampled plate has its full size.
        """
        self._ensure_prototype(*args, **kwargs)
        root = self._root()
        if root is not self and self._foreign_sources():
            joint = root.sample_posterior(num_samples, *args, **kwargs)
            return {name: joint[name] for name, _ in self._sites()}
        # What other parts have emitted by now belongs to a summary, and has not this plate.
        outside, root._emitted = root._emitted, {}
        try:
            with torch.no_grad(), self._full_size_plates():
                if root is not self:
                    root._create_plates(*args, **kwargs)
                with pyro.plate(_SAMPLE_PLATE, num_samples, dim=-root._plate_depth - 1):
                    values = self(*args, **kwargs)
        finally:
            root._emitted = outside
        shapes = {name: full_shape(site) for name, site in self._sites()}
        return {
            name: align_draws(value, num_samples, shapes[name]).detach()
            for name, value in values.items()
            if name in shapes
        }

    def posterior(self, *args: Any, **kwargs: Any) -> GuidePosterior:
        """The approximate posterior as a distribution: draws, densities, ArviZ.

        Args:
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.
        """
        return GuidePosterior(self, args, kwargs)

    def _covered_sites(self) -> Iterator[tuple[str, Site]]:
        """The latent sites that the guide itself gives values to."""
        yield from self._sites()

    def _score(self, draws: dict[str, Tensor], /, *args: Any, **kwargs: Any) -> Tensor:
        """The log density of joint draws on the supports; shape (S,). See `GuidePosterior`."""
        raise NotImplementedError(f"The density of {type(self).__name__} is not known.")

    # --- Copying and saving -------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        return saved_state(super().__getstate__())

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._update_parts()

    def __deepcopy__(self, memo: dict[int, Any]) -> AutoGuide:
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin.__dict__.update(copied_state(self, memo))
        twin._update_parts()
        return twin

    def _update_parts(self) -> None:
        reference = weakref.ref(self)
        for part in self.modules():
            if part is not self and isinstance(part, AutoGuide):
                part.master = reference
