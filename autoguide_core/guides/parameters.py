"""The parameters of a guide that has one a site: made, and read all at once.

Pyro keeps a parameter in three places that must agree: the module, the global store and the traces
of those who listen. Reading an attribute of a `PyroModule` does all that for one parameter. Here
the same is done for many, while the arithmetic between the free and the constrained values is done
for all of them together.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyro
from pyro.nn.module import PyroModule
from pyro.poutine.runtime import effectful
from torch import Tensor, nn
from torch.distributions import constraints, transform_to

from autoguide_core.guides.packing import Packed, Packing


class SiteParameter(NamedTuple):
    """Where a parameter lives.

    Attributes:
        module: The module that holds it.
        leaf: Its attribute there.
        event_dim: How many of its rightmost dims are not plates.
        constraint: Where its values live.
    """

    module: PyroModule
    leaf: str
    event_dim: int
    constraint: Any

    @property
    def free(self) -> Tensor:
        """The free (unconstrained) tensor that is trained."""
        value: Tensor = self.module._parameters[self.leaf + "_unconstrained"]
        return value

    @property
    def full_name(self) -> str:
        """Its name in Pyro's store."""
        prefix = self.module._pyro_name
        return f"{prefix}.{self.leaf}" if prefix else self.leaf


def make_parameter(
    owner: PyroModule, path: str, value: Tensor, constraint: Any, event_dim: int
) -> SiteParameter:
    """Make a constrained parameter at a dotted path under a module.

    It enters Pyro's store when it is read for the first time; a value that the store holds by then
    takes precedence.

    Args:
        owner: The module under which the path begins; modules on the way are made.
        path: The path.
        value: The first value, in the support of ``constraint``.
        constraint: Where values live.
        event_dim: How many rightmost dims of ``value`` are not plates.
    """
    *prefixes, leaf = path.split(".")
    for part in prefixes:
        if part not in owner._modules:
            setattr(owner, part, PyroModule())
        owner = owner._modules[part]
    owner._pyro_params[leaf] = constraint, event_dim
    free = transform_to(constraint).inv(value.detach()).detach().contiguous()
    owner.register_parameter(leaf + "_unconstrained", nn.Parameter(free))
    return SiteParameter(owner, leaf, event_dim, constraint)


class SiteParameters:
    """Parameters of many sites.

    Args:
        parameters: The parameters, made already.
    """

    def __init__(self, parameters: Sequence[SiteParameter]) -> None:
        self._lay_out(parameters)

    def _lay_out(self, parameters: Sequence[SiteParameter]) -> None:
        self._all = tuple(parameters)
        self._bounded = [i for i, p in enumerate(self._all) if p.constraint is not constraints.real]
        bounded = [self._all[i] for i in self._bounded]
        members = [Packed(p.leaf, p.free.shape, 0, p.constraint, 0) for p in bounded]
        device = bounded[0].free.device if bounded else None
        self._packing = Packing(members, transform_to, device)

    def are_there(self) -> bool:
        """Whether all of them are still parameters with a constraint: users may replace them."""
        replaced = False
        for parameter in self._all:
            declared = parameter.module._pyro_params.get(parameter.leaf)
            if declared is None:
                return False
            replaced = replaced or declared[0] is not parameter.constraint
        if replaced:
            self._lay_out(
                [p._replace(constraint=p.module._pyro_params[p.leaf][0]) for p in self._all]
            )
        return True

    def read(self) -> list[Tensor]:
        """Read all of them, with a ``pyro.param`` statement each inside a guide's call.

        Returns:
            The constrained value of each, in their order.
        """
        is_active = bool(self._all) and self._all[0].module._pyro_context.active
        if is_active and not pyro.settings.get("module_local_params"):
            self._agree_with_store()
        free = [parameter.free for parameter in self._all]
        values = list(free)
        if self._bounded:
            packed = self._packing.pack(free[i] for i in self._bounded)
            constrained = self._packing.constrain(packed, with_density=False)
            for i, (value, _) in zip(self._bounded, constrained, strict=True):
                values[i] = value
        for value, tensor in zip(values, free, strict=True):
            value.unconstrained = weakref.ref(tensor)
        if not is_active:
            return values
        return [
            _statement(
                value,
                name=parameter.full_name,
                constraint=parameter.constraint,
                event_dim=parameter.event_dim,
            )
            for parameter, value in zip(self._all, values, strict=True)
        ]

    def _agree_with_store(self) -> None:
        """Make the store and the modules hold the same tensors.

        Raises:
            ValueError: The store holds a tensor of another shape.
        """
        stored = dict(pyro.get_param_store().named_parameters())
        for parameter in self._all:
            known = stored.get(parameter.full_name)
            if known is not None and known.shape != parameter.free.shape:
                raise ValueError(
                    f"Pyro's parameter store holds '{parameter.full_name}' with shape "
                    f"{tuple(known.shape)}, but this guide needs {tuple(parameter.free.shape)}. "
                    "Another guide of this name made it: call pyro.clear_param_store() first."
                )
            if known is not parameter.free:
                getattr(parameter.module, parameter.leaf)  # a read does it, in either direction


def _the_value(value: Tensor, **description: Any) -> Tensor:
    return value


_statement: Any = effectful(_the_value, type="param")
