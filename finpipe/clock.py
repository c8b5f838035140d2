"""The one place that asks the system for the time.

`now()` is the instant facts are known at: the system's, or in the dev profile the sandbox's (an offset).
`monotonic()` counts seconds since boot and is the same for all processes of a host; limits and leases
use it, since a wall clock may jump.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """What the rest of finpipe may know about time."""

    def now(self) -> datetime:
        """The present instant, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since the host booted; never goes backwards while it is up."""
        ...


@dataclass(frozen=True)
class SystemClock:
    """The system's clock, moved by `offset` (zero but in the dev profile)."""

    offset: timedelta = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def monotonic(self) -> float:
        # BOOTTIME goes on while a laptop sleeps, and other processes read the same value.
        if hasattr(time, "CLOCK_BOOTTIME"):
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.monotonic()


@dataclass
class ManualClock:
    """A clock that stands until it is moved; for tests."""

    instant: datetime
    seconds: float = field(default=1000.0)

    def now(self) -> datetime:
        return self.instant

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)
        self.seconds += seconds


def boot_id() -> str:
    """An id that changes when the host reboots: monotonic values of another boot mean nothing."""
    source = Path("/proc/sys/kernel/random/boot_id")
    if source.exists():
        return source.read_text().strip()
    return str(round(time.time() - time.monotonic()))
