"""One command run by several processes at once: who talks, and how all of them end.

`torchrun` starts the same command several times, and tells each in its environment which one it
is. They join before anything is read, so that a fault is told by the first that meets it and by no
other, and none waits for one that has ended.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from compiler.cli.guard import BAD_INPUT

if TYPE_CHECKING:
    from torch.distributed import Store

_TIMEOUT = timedelta(minutes=10)
"""How long a process waits for another before it takes it for lost."""


@dataclass(frozen=True)
class Processes:
    """The processes that run this command.

    Attributes:
        leads: Whether this is the one that writes files and shows what is going on.
        local: The number of this process on its machine, from 0.
    """

    leads: bool = True
    local: int = 0

    def device(self, name: str) -> str:
        """The device of this process: each has a GPU of its own, if the name leaves it open."""
        return f"cuda:{self.local}" if name == "cuda" and not self._alone else name

    @property
    def _alone(self) -> bool:
        return _count() == 1


@contextmanager
def joined_processes() -> Iterator[Processes]:
    """Join the processes that run the same command, if `torchrun` has started several.

    Yields:
        What this process is to the others.

    Raises:
        SystemExit: In place of an error that another process tells.
    """
    if _count() == 1:
        yield Processes()
        return
    import torch
    import torch.distributed as dist

    from autoguide_core.engine.distributed import WorkerLost

    rank = int(os.environ["RANK"])
    processes = Processes(leads=rank == 0, local=int(os.environ.get("LOCAL_RANK", rank)))
    if torch.cuda.is_available():
        torch.cuda.set_device(processes.local % torch.cuda.device_count())
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    store = _store(rank)
    dist.init_process_group(backend, store=store, rank=rank, world_size=_count(), timeout=_TIMEOUT)
    try:
        yield processes
        dist.destroy_process_group()
    except WorkerLost as loss:
        if _is_to_tell(store):
            click.echo(str(loss), err=True)
        raise SystemExit(BAD_INPUT) from None
    except Exception:
        if _is_to_tell(store):
            raise
        raise SystemExit(BAD_INPUT) from None


def _count() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def _store(rank: int) -> Store:
    """The small server at which processes meet; `torchrun` runs one, else the first process does.

    Each attempt of `torchrun` to start the processes has its own part of it.
    """
    from torch.distributed import PrefixStore, TCPStore

    is_there = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    server = TCPStore(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        _count(),
        is_master=rank == 0 and not is_there,
        timeout=_TIMEOUT,
    )
    return PrefixStore(f"pplc-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", server)


def _is_to_tell(store: Store) -> bool:
    """Whether this process is the first to end by an error, and so the one that tells it.

    The end of another makes `torchrun` end this one too, which has to wait until it is told. Where
    the server has gone with the process that ran it, each tells for itself.
    """
    with suppress(RuntimeError):
        if store.add("errors", 1) > 1:
            return False
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return True
