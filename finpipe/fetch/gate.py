"""Waiting for a slot, up to the moment the bytes leave.

A permit taken before the connection stands comes too early by the time connecting takes, and the burst
after it collides with the next one. So the last wait is inside the transport, just before the headers
are written; only the coarse wait before it is outside, since a connection held idle for long is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from weakref import WeakKeyDictionary

from finpipe.clock import Clock
from finpipe.errors import FinpipeError
from finpipe.fetch.limits import LimitStore
from finpipe.fetch.policy import Parked, Rules, Slot
from finpipe.sources.spec import Source

Sleep = Callable[[float], Awaitable[None]]

_LEAD_SECONDS = 1.0
"""A connection is made, or chosen, this long before its slot."""

_PROMPT_SECONDS = 0.005
"""Writing a departure down may take so long; after a longer wait for the disk it is written anew."""


class QuotaSpent(FinpipeError):
    """No request may leave before `until` (UTC)."""

    def __init__(self, scope: str, until: datetime) -> None:
        super().__init__(f"{scope}: nothing may be asked before {until:%Y-%m-%d %H:%M} UTC")
        self.scope, self.until = scope, until


class CoolingDown(FinpipeError):
    """The next slot is further off than the caller is ready to wait."""

    def __init__(self, scope: str, seconds: float) -> None:
        super().__init__(f"{scope}: the next request may leave in {seconds:.0f} s")
        self.scope, self.seconds = scope, seconds


class _Lane:
    """Who of a process asks a source: `head` is next to leave, `room` is how many may be on their way."""

    def __init__(self, concurrency: int) -> None:
        self.head, self.room = asyncio.Lock(), asyncio.Semaphore(concurrency)


_LANES: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, int], _Lane]] = WeakKeyDictionary()


class Gate:
    """The way out to one source; all gates of a scope in one event loop share a lane."""

    def __init__(self, source: Source, limits: LimitStore, clock: Clock, *, sleep: Sleep = asyncio.sleep) -> None:
        self.scope, self._rules = source.name, Rules.of(source.limits)
        self._concurrency = source.limits.concurrency
        self._limits, self._clock, self._sleep = limits, clock, sleep

    @asynccontextmanager
    async def turn(self, patience_seconds: float) -> AsyncIterator[Turn]:
        """Hold a slot that is at most a second off; `Turn.leave` waits for the slot itself.

        One at a time per source and process waits: several that wake on one instant are late, and a
        killed process loses one slot at most.

        Raises:
            QuotaSpent: A daily quota is used up.
            CoolingDown: The slot is more than `patience_seconds` off.
        """
        lanes = _LANES.setdefault(asyncio.get_running_loop(), {})
        lane = lanes.setdefault((self.scope, self._concurrency), _Lane(self._concurrency))
        async with lane.room:
            await lane.head.acquire()
            turn = Turn(self, lane.head)
            try:
                await turn.approach(patience_seconds)
                yield turn
            finally:
                turn.close()

    def take(self) -> Slot:
        """A slot from the store."""
        match self._limits.reserve(self.scope, self._rules):
            case Slot() as slot:
                return slot
            case Parked(until):
                raise QuotaSpent(self.scope, until)

    def give_back(self, slot: Slot) -> None:
        """A slot that was not used."""
        self._limits.give_back(self.scope, slot)

    def seconds_to(self, slot: Slot) -> float:
        """Until the slot; negative when it has passed."""
        return slot.at - self._clock.monotonic()

    def depart(self, slot: Slot) -> Slot | None:
        """Use a slot that has come, now."""
        return self._limits.depart(self.scope, self._rules, slot)

    async def wait(self, seconds: float) -> None:
        """Sleep, when there is something to sleep."""
        if seconds > 0:
            await self._sleep(seconds)


class Turn:
    """One request's way through the gate."""

    def __init__(self, gate: Gate, head: asyncio.Lock) -> None:
        self._gate, self._head = gate, head
        self._slot: Slot | None = None
        self._has_left = False

    async def approach(self, patience_seconds: float) -> None:
        """Take a slot and wait until it is near."""
        await self._gate.wait(self._take(patience_seconds) - _LEAD_SECONDS)

    async def leave(self) -> None:
        """Wait for the slot and use it; one that may not be used any more is changed for another.

        Raises:
            CoolingDown: The other one is too far off to hold a connection for.
            QuotaSpent: There is none today.
        """
        while self._slot is not None:
            while (seconds := self._gate.seconds_to(self._slot)) > 0:
                await self._gate.wait(seconds)
            self._slot = self._gate.depart(self._slot)
            if self._slot is None:
                self._take(_LEAD_SECONDS)
            elif self._gate.seconds_to(self._slot) > -_PROMPT_SECONDS:
                self._slot, self._has_left = None, True
                self._head.release()

    def close(self) -> None:
        """Give back what was not used, and let the next one come forward."""
        if self._slot is not None:
            self._gate.give_back(self._slot)
        if not self._has_left:
            self._head.release()

    def _take(self, patience_seconds: float) -> float:
        slot = self._gate.take()
        seconds = self._gate.seconds_to(slot)
        if seconds > patience_seconds:
            self._gate.give_back(slot)
            raise CoolingDown(self._gate.scope, seconds)
        self._slot = slot
        return seconds
