"""Starting workers: one process for each measurement, in an environment that is fair to all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.engine.worker import Job

_ROOT = Path(__file__).resolve().parents[2]
_LONGEST = 3600.0
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_CACHES = ("PPLC_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR")

Outcome = dict[str, Any]


class WorkerFailedError(Exception):
    """A worker broke off; the text is the last line that it wrote."""


@dataclass(frozen=True)
class Surroundings:
    """What is the same for every worker of one benchmark.

    Attributes:
        dtype: ``float32`` or ``float64``.
        device: ``cpu`` or ``cuda``.
        threads: The number of cores that each worker may use.
    """

    dtype: str = "float32"
    device: str = "cpu"
    threads: int = 1

    def environment(self, side: str, cache: str) -> dict[str, str]:
        """The environment variables of a worker; an empty ``cache`` stands for none."""
        inherited = {name: text for name, text in os.environ.items() if name not in _CACHES}
        threads = dict.fromkeys(_THREADS, str(self.threads))
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        return inherited | threads | {"PYTHONPATH": path} | self._caches(side, cache) | self._jax()

    def _jax(self) -> dict[str, str]:
        several = "true" if self.threads > 1 else "false"
        return {
            "JAX_PLATFORMS": self.device,
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
            "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen={several} "
            f"intra_op_parallelism_threads={self.threads}",
        }

    @staticmethod
    def _caches(side: str, cache: str) -> dict[str, str]:
        if not cache:
            return {}
        if side == "numpyro":
            return {
                "JAX_COMPILATION_CACHE_DIR": cache,
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
            }
        return {"PPLC_CACHE_DIR": cache}

    def measure(self, job: Job, cache: Path | None = None) -> Outcome:
        """Do a job in a process of its own.

        This process must stay small: Linux counts the memory of the process that starts another
        into the peak of the new one.

        Args:
            job: The job; dtype, device and threads are those of the surroundings.
            cache: The folder of compiled code. Without one, NumPyro gets no cache at all, and ours
                an empty one that is thrown away afterwards.

        Returns:
            What the worker found, and ``wall_s``: seconds from the start of the process to its end.

        Raises:
            WorkerFailedError: If it broke off.
        """
        words = asdict(job) | asdict(self)
        command = [sys.executable, "-m", "benchmarks.engine.worker", json.dumps(words)]
        with tempfile.TemporaryDirectory(prefix="engine-cache-") as empty:
            folder = str(cache) if cache else ("" if job.side == "numpyro" else empty)
            environment = self.environment(job.side, folder)
            start = time.perf_counter()
            try:
                done = subprocess.run(
                    command, env=environment, cwd=_ROOT, capture_output=True, text=True,
                    timeout=_LONGEST, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired as error:
                raise WorkerFailedError(f"stopped after {_LONGEST:.0f} s") from error
            wall = time.perf_counter() - start
        if done.returncode:
            raise WorkerFailedError((done.stderr.strip() or str(done.returncode)).splitlines()[-1])
        outcome: Outcome = json.loads(done.stdout.splitlines()[-1])
        return outcome | {"wall_s": wall}
