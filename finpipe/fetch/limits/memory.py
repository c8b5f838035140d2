"""Limits of one process: for tests, and for work that no other process shares."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from finpipe.clock import Clock
from finpipe.fetch import policy
from finpipe.fetch.limits.store import QuotaUse, usage_of
from finpipe.fetch.policy import Parked, Rules, Slot, State


class MemoryLimits:
    """A `LimitStore` that forgets at exit."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._states: defaultdict[str, State] = defaultdict(State)

    def reserve(self, scope: str, rules: Rules) -> Slot | Parked:
        return policy.reserve(self._states[scope], rules, self._clock.monotonic(), self._clock.now())

    def depart(self, scope: str, rules: Rules, slot: Slot) -> Slot | None:
        return policy.depart(self._states[scope], rules, slot, self._clock.monotonic(), self._clock.now())

    def give_back(self, scope: str, slot: Slot) -> None:
        policy.give_back(self._states[scope], slot)

    def block(self, scope: str, seconds: float) -> None:
        policy.block(self._states[scope], self._clock.monotonic() + seconds)

    def park(self, scope: str, until: datetime) -> None:
        policy.park(self._states[scope], until)

    def usage(self, scope: str, rules: Rules) -> list[QuotaUse]:
        return usage_of(self._states[scope], rules, self._clock.now())
