"""What every store of limits promises; the conformance suite asks each for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from finpipe.fetch.policy import Parked, Rules, Slot, State, next_day, used_today


@dataclass(frozen=True)
class QuotaUse:
    """How much of a daily quota is used."""

    limit: int
    used: int
    resets_at: datetime  # UTC


class LimitStore(Protocol):
    """Limits by scope (a source's name); every call is one atomic step, made in well under a millisecond.

    Calls are synchronous also in async code: handing one to a thread would cost as much as the call, and
    the answer is about now.
    """

    def reserve(self, scope: str, rules: Rules) -> Slot | Parked:
        """Take the earliest slot that all rules allow."""
        ...

    def depart(self, scope: str, rules: Rules, slot: Slot) -> Slot | None:
        """Use a slot that has come, now; None: it may not be used any more, and is given back."""
        ...

    def give_back(self, scope: str, slot: Slot) -> None:
        """Undo a reservation whose request did not leave."""
        ...

    def block(self, scope: str, seconds: float) -> None:
        """Cool down: nothing leaves for so many seconds. A longer block that stands already stays."""
        ...

    def park(self, scope: str, until: datetime) -> None:
        """Nothing leaves before `until` (UTC), a date of the wall clock."""
        ...

    def usage(self, scope: str, rules: Rules) -> list[QuotaUse]:
        """Of each quota, what is used today."""
        ...


def usage_of(state: State, rules: Rules, wall: datetime) -> list[QuotaUse]:
    """The usage that a state amounts to."""
    return [
        QuotaUse(quota.limit, used_today(state, quota, wall), next_day(quota.timezone, wall)) for quota in rules.quotas
    ]
