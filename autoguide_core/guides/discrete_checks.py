"""What `AutoDiscreteParallel` refuses, and what it says instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

from autoguide_core.guides.finite import finite_values
from autoguide_core.guides.supports import SiteMask
from autoguide_core.initialization import Site


def check_site(site: Site, mask: SiteMask) -> None:
    """Check that a site may be summed over in parallel.

    Args:
        site: A trace node.
        mask: Which entries of the site count.

    Raises:
        NotImplementedError: The model asks for another way of enumeration.
        ValueError: Single entries of an event are masked.
    """
    name, strategy = site["name"], site["infer"].get("enumerate", "parallel")
    if strategy != "parallel":
        raise NotImplementedError(
            f"Expected sample site '{name}' to be configured for parallel enumeration, but it has "
            f"infer={{'enumerate': {strategy!r}}}: remove that, or write a guide of your own for "
            "the site."
        )
    if mask.elements is not None:
        raise ValueError(
            f"Sample site '{name}' has a mask over single entries of its event, which are summed "
            "over jointly. Put its entries into a pyro.plate instead of .to_event(), or mask whole "
            "events."
        )


def check_sources(sources: Mapping[str, frozenset[str]], latents: Iterable[str]) -> None:
    """Check that no site's values depend on another latent site.

    Args:
        sources: Where each moving support comes from, as `support_sources` tells.
        latents: The names of the latent sites.

    Raises:
        ValueError: A site's values do.
    """
    for name, found in sources.items():
        for source in sorted(found.intersection(latents)):
            raise ValueError(
                f"The values that sample site '{name}' can take depend on site '{source}': "
                f"AutoDiscreteParallel needs a support that does not move. Give '{name}' its "
                "largest support, with a small probability for what is not possible."
            )


def check_table(site: Site, values: Tensor) -> None:
    """Check that a site can still take the values that its table lists.

    Args:
        site: The site in this call.
        values: The values of the table, shape (K, *event_shape).

    Raises:
        ValueError: It takes others.
    """
    now = finite_values(site)
    if now.shape != values.shape or not bool((now == values).all()):
        raise ValueError(
            f"Sample site '{site['name']}' can take other values in this call than when the guide "
            f"was set up ({len(now)} against {len(values)}): use a new guide for them, or one "
            "support for all calls."
        )
