"""The sandbox's own time: the system's, moved by an offset that a test may change."""

from __future__ import annotations

from datetime import datetime, timedelta

from finpipe.clock import Clock


class VirtualClock:
    """Runs at 1x from the instant it was last moved to; `monotonic` stays the host's."""

    def __init__(self, base: Clock, now: datetime) -> None:
        self._base = base
        self.move_to(now)

    @property
    def offset(self) -> timedelta:
        """Virtual now less real now."""
        return self._offset

    def move_to(self, now: datetime) -> None:
        self._offset = now - self._base.now()

    def now(self) -> datetime:
        return self._base.now() + self._offset

    def monotonic(self) -> float:
        return self._base.monotonic()
