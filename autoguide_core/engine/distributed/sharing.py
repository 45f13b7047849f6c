"""What of a minibatch, and of the random numbers that go with it, is one process's share.

Process r of w takes the r-th of w equal pieces of the indices of every minibatch, and of every
random tensor along the axis that runs over the minibatch. A plate of N entries of which a step
draws m scales its terms by N / m; in a share it scales them by N w / m, so that the mean over the
processes is the whole, for everything that is a sum over the minibatch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pyro.poutine.subsample_messenger import SubsampleMessenger
from torch import Tensor

from autoguide_core.engine.distributed.workers import Workers
from autoguide_core.engine.errors import RequestError
from autoguide_core.engine.stepping.draws import Draw


@contextmanager
def smaller_minibatches(workers: Workers) -> Iterator[dict[str, int]]:
    """While inside, plates that draw a minibatch draw one process's share of it.

    Pyro has no handler that could change how many entries a plate draws, so the function in which
    plates choose their indices is wrapped for the time being.

    Yields:
        The size of the whole minibatch of each plate that was met, by the plate's name.
    """
    original = SubsampleMessenger._subsample
    met: dict[str, int] = {}

    def choose(
        name: str, size: int | None = None, subsample_size: int | None = None, *rest: Any
    ) -> Any:
        if size is not None and subsample_size is not None and 0 < subsample_size < size:
            met[name] = subsample_size
            subsample_size = max(1, subsample_size // workers.count)
        return original(name, size, subsample_size, *rest)

    SubsampleMessenger._subsample = staticmethod(choose)
    try:
        yield met
    finally:
        SubsampleMessenger._subsample = staticmethod(original)


def check_sizes(minibatches: Mapping[str, int], workers: Workers) -> None:
    """See that there are minibatches, and that they can be divided.

    Raises:
        RequestError: If not.
    """
    count = workers.count
    if not minibatches:
        raise workers.refusal(
            f"{count} processes share out minibatches, and the model draws none",
            "write a plate with a minibatch, or fit in one process",
        )
    for plate, size in minibatches.items():
        share, rest = divmod(size, count)
        if rest:
            more = (share + 1) * count
            raise workers.refusal(
                f"the minibatch of {size} of plate {plate!r} cannot be shared out equally among "
                f"{count} processes",
                f"make it {f'{share * count} or {more}' if share else more}, or take another "
                "number of processes",
            )


class Shares:
    """Cuts a process's share out of the random numbers of whole steps.

    Args:
        whole: What a step on whole minibatches draws.
        share: What a step on shares draws.
        workers: The processes.

    Raises:
        RequestError: If one is not a part of the other.
    """

    def __init__(self, whole: Sequence[Draw], share: Sequence[Draw], workers: Workers) -> None:
        if len(whole) != len(share):
            raise _unlike(workers)
        self._axes = [_axis(*pair, workers) for pair in zip(whole, share, strict=True)]
        self._workers = workers

    def of(self, noise: Sequence[Tensor]) -> list[Tensor]:
        """The share of this process.

        Args:
            noise: For each draw of a whole step a tensor (K, *shape).

        Returns:
            Views of them.
        """
        rank, count = self._workers.rank, self._workers.count
        return [
            drawn if axis is None else drawn.chunk(count, dim=1 + axis)[rank]
            for drawn, axis in zip(noise, self._axes, strict=True)
        ]


def _axis(whole: Draw, share: Draw, workers: Workers) -> int | None:
    """The axis of a draw that runs over the minibatch, None if none does."""
    same_kind = (whole.kind, whole.dtype, whole.size) == (share.kind, share.dtype, share.size)
    if not same_kind or len(whole.shape) != len(share.shape):
        raise _unlike(workers)
    pairs = list(zip(whole.shape, share.shape, strict=True))
    axes = [i for i, (all_, own) in enumerate(pairs) if all_ != own]
    if any(pairs[i][0] != pairs[i][1] * workers.count for i in axes):
        raise _unlike(workers)
    if len(axes) > 1:
        raise workers.cannot_share("a draw runs over two of them")
    return axes[0] if axes else None


def _unlike(workers: Workers) -> RequestError:
    return workers.cannot_share("what the model draws does not follow their size")
