"""How many steps to make between two looks at the clock."""

from __future__ import annotations

_SECONDS = 0.05
_SECONDS_WHILE_WAITING = 0.01
_FIRST = 4
_GROWTH = 8
_LARGEST_NOISE = 2**20


class Pace:
    """Sizes blocks of steps so that each takes about a twentieth of a second.

    How steps are split into blocks has no influence on their numbers.

    Args:
        numbers: Random numbers per step, which bound a block by its memory.
    """

    def __init__(self, numbers: int) -> None:
        self._most = max(1, _LARGEST_NOISE // max(1, numbers))
        self._count = 0
        self.seconds_per_step = 0.0

    def restart(self) -> None:
        """Forget the pace: another runner steps from now on."""
        self._count = 0

    def next(self, *, is_waiting: bool) -> int:
        """Steps of the next block; fewer while something faster is about to be ready."""
        if not self._count or not self.seconds_per_step:
            return min(_FIRST, self._most)
        seconds = _SECONDS_WHILE_WAITING if is_waiting else _SECONDS
        wanted = int(seconds / self.seconds_per_step)
        return max(1, min(wanted, _GROWTH * self._count, self._most))

    def took(self, count: int, seconds: float) -> None:
        """Take note of how long a block took."""
        self._count, self.seconds_per_step = count, seconds / count
