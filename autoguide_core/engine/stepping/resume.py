"""Writing down how far a run has come, and taking it up from there."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from autoguide_core.engine.stepping.checkpoint import Checkpoint
from autoguide_core.engine.stepping.fingerprint import surroundings
from autoguide_core.engine.stepping.progressed import Progressed
from autoguide_core.engine.stepping.record import DriftRecord, Record


class Keeper:
    """Keeps one run in its checkpoint.

    A run that goes on from a record makes the same numbers as one that was never interrupted, if
    the same runner goes on in the same surroundings. Where it does not, a note says so.

    Args:
        checkpoint: The file.
        fingerprint: What tells this fit from others.
        notes: Where notes for the user go.
    """

    def __init__(
        self, checkpoint: Checkpoint, fingerprint: Mapping[str, str], notes: list[str]
    ) -> None:
        self._checkpoint = checkpoint
        self._fingerprint = fingerprint
        self._notes = notes
        self._surroundings = surroundings()

    def take_up(self, progressed: Progressed) -> str | None:
        """Bring a run to where the record has it.

        Returns:
            The name of the runner that had made the steps; None where there is no record.

        Raises:
            FitError: If the file is no checkpoint of this fit.
        """
        record = self._checkpoint.read(self._fingerprint, progressed)
        if record is None:
            return None
        for name, value in record.state.items():
            progressed.state[name].copy_(value)
        progressed.done = record.done
        progressed.elbo[: record.done] = record.elbo.numpy()
        progressed.drift.take_up(record.drift.model_dump())
        progressed.engines = list(record.engines)
        changed = [n for n, v in self._surroundings.items() if record.surroundings.get(n) != v]
        if changed and progressed.done < len(progressed.elbo):
            self.note_difference(f"other {', '.join(changed)}")
        return progressed.engines[-1][0]

    def note_difference(self, what: str) -> None:
        """Tell the user that the numbers are not those of a run without interruption."""
        self._notes.append(
            f"the checkpoint was taken up with {what} than it was written with: "
            "the numbers may differ in their last digits"
        )

    def keep(self, progressed: Progressed, *, now: bool) -> None:
        """Write the run down if its last record is old, it is at its end, or ``now`` is said."""
        is_done = progressed.done == len(progressed.elbo)
        if not (now or is_done or self._checkpoint.is_due):
            return
        record = Record(
            format=1,
            fingerprint=dict(self._fingerprint),
            state=progressed.state,
            done=progressed.done,
            elbo=torch.from_numpy(progressed.elbo[: progressed.done].copy()),
            drift=DriftRecord(**progressed.drift.record()),
            engines=progressed.engines,
            surroundings=self._surroundings,
        )
        self._checkpoint.write(record)
