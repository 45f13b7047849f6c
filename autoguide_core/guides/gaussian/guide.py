"""`AutoGaussian`: a Normal over all sites whose precision has the model's own sparsity."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import pyro
import torch
from pyro import poutine
from torch import Tensor

from autoguide_core.guides.divergence import watch
from autoguide_core.guides.emission import emit_point
from autoguide_core.guides.gaussian.distribution import SparseNormal
from autoguide_core.guides.gaussian.joint import SparseJointGuide
from autoguide_core.guides.scales import DEFAULT_SCALE, InitScale
from autoguide_core.initialization import InitStrategy, init_to_feasible


class AutoGaussian(SparseJointGuide):
    """A Normal guide over all sites together, with the sparsity of the model's posterior.

    In unconstrained space each site is ``loc + scale * x``, and the x of all sites have one joint
    Normal. Its log density is a sum of quadratic terms, one for each sample site of the model,
    over the latents which that site's density looks at, and replicated over plates as the site is.
    So the guide can hold every dependence that the model can make in its posterior, as an
    `AutoMultivariateNormal` can, with fewer parameters.

    A dependence counts if tensor operations carry it. Two things are not seen: dependences through
    Python numbers or branches, and between *different* elements of a plate (``x[1:] - x[:-1]``),
    whose elements a plate declares independent.

    ``AutoGaussian(model)`` makes an `AutoGaussianDense`, ``AutoGaussian(model, backend=…)`` the
    class of another backend. All backends are the same family with the same parameters, and differ
    in cost only:

    - ``"dense"``, the default: one Cholesky factorisation, O(D³) in the latent dimension D.
    - ``"structured"``: variable elimination in plates, in proportion to the plates' sizes.
    - ``"funsor"``: the name under which Pyro has such a backend; as ``"structured"``. The funsor
      package is not needed, and no plate structure is refused.

    The parameters are, for each latent ``z`` (B its plates' shape, E its unconstrained event
    shape), ``locs.z`` and ``scales.z``, both B + E; and for each site ``s`` with a term
    ``white_vecs.s``, B + (k,), and ``prec_sqrts.s``, B + (u, k). There u is the number of entries
    that one replicate of the term looks at, and k the same of the latent itself; of an observation,
    no more than its own. The term is ``−½ |prec_sqrts.sᵀ x − white_vecs.s|²``.

    Sources: Webb et al. 2018, "Faithful inversion of generative models for effective amortized
    inference", https://arxiv.org/abs/1712.00287; Obermeyer et al. 2019, "Tensor variable
    elimination for plated factor graphs", https://arxiv.org/abs/1902.03210.

    Args:
        model: A Pyro model whose latents are all continuous.
        init_loc_fn: The initialisation strategy of the locations.
        init_scale: The initial scale in unconstrained space; or scales by site name, 0.1 for the
            rest.
        backend: None (as ``"dense"``), ``"dense"``, ``"structured"`` or ``"funsor"``.
        create_plates: As for `AutoGuide`.

    Attributes:
        dependencies: For each site with a term the latents that it looks at, in the form of Pyro's
            `get_dependencies`; set at the first call.
        latent_dim: The number of unconstrained dimensions, D; set at the first call.
    """

    _backends: ClassVar[dict[str | None, type[AutoGaussian]]] = {}

    def __init_subclass__(cls, backends: Iterable[str | None] = (), **kwargs: Any) -> None:
        """Register a class as the implementation of some backends."""
        super().__init_subclass__(**kwargs)
        AutoGaussian._backends.update(dict.fromkeys(backends, cls))

    def __new__(cls, *args: Any, backend: str | None = None, **kwargs: Any) -> AutoGaussian:
        """Make an instance of the backend's class."""
        if cls is AutoGaussian:
            if backend not in cls._backends:
                names = ", ".join(repr(name) for name in cls._backends if name is not None)
                raise ValueError(
                    f"Unknown backend {backend!r} of AutoGaussian: use one of {names}."
                )
            cls = cls._backends[backend]
        elif backend is not None:
            raise ValueError(
                f"{cls.__name__} is a backend itself: leave out backend={backend!r}, or use "
                f"AutoGaussian(model, backend={backend!r})."
            )
        guide: AutoGaussian = super().__new__(cls)
        return guide

    def __init__(
        self,
        model: Callable[..., Any],
        *,
        init_loc_fn: InitStrategy = init_to_feasible,
        init_scale: InitScale = DEFAULT_SCALE,
        backend: str | None = None,
        create_plates: Callable[..., Any] | None = None,
    ) -> None:
        # The backend has chosen the class; see __new__.
        super().__init__(
            model, init_loc_fn=init_loc_fn, init_scale=init_scale, create_plates=create_plates
        )

    def forward(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Draw all sites jointly and emit each.

        Args:
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            The sampled value of each site.
        """
        self._ensure_prototype(*args, **kwargs)
        packed = pyro.sample(
            f"_{self._pyro_name}_latent", self._posterior(), infer={"is_auxiliary": True}
        )
        self._create_plates(*args, **kwargs)
        self._refuse_partial_plates()
        parameters = self._locs_and_scales()
        loc = torch.cat([loc.reshape(-1) for loc, _ in parameters.values()])
        scale = torch.cat([scale.reshape(-1) for _, scale in parameters.values()])
        moved = loc + scale * packed
        sizes = {name: shape.numel() for name, shape in self._shapes.items()}
        watch(moved, sizes, {"location": loc, "scale": scale})
        unconstrained = self._unpack(moved)
        result = {}
        for name, site, value, log_density in self._images(unconstrained, args, kwargs):
            batch_shape = site["fn"].batch_shape
            if poutine.get_mask() is not False:
                log_scale = parameters[name][1].log().reshape(*batch_shape, -1).sum(-1)
                log_density = log_density - log_scale
            with self._site_plates(site):
                result[name] = emit_point(name, value, log_density, site["fn"].event_dim)
        return result

    # --- Results ------------------------------------------------------------------------------

    def _means(self, posterior: SparseNormal) -> dict[str, Tensor]:
        means = self._unpack(posterior.mean)
        return {
            name: loc + scale * means[name]
            for name, (loc, scale) in self._locs_and_scales().items()
        }

    def _marginals(self, *args: Any, **kwargs: Any) -> dict[str, tuple[Tensor, Tensor]]:
        posterior = self._posterior()
        means, scales = self._means(posterior), self._unpack(posterior.stddev)
        parameters = self._locs_and_scales()
        return {name: (mean, parameters[name][1] * scales[name]) for name, mean in means.items()}

    def _unconstrained_draws(
        self, num_samples: int, /, *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        draws, position = {}, 0
        packed = self._posterior().sample((num_samples,))
        for name, (loc, scale) in self._locs_and_scales().items():
            part = packed[:, position : position + loc.numel()]
            position += loc.numel()
            draws[name] = loc + scale * part.reshape(num_samples, *loc.shape)
        return draws
