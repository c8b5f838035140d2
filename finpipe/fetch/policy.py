"""When the next request may leave: a sliding-window log and daily quotas, decided in one step.

Windows are counted in seconds of a clock that never jumps, quotas in calendar days of their zone.
A stream with at most N requests in every window P also satisfies a fixed window N/P and a token bucket
of capacity N, so one rule fits all three kinds of server.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from finpipe.sources.spec import Limits

GUARD_SECONDS = 0.020
"""Added to every window: by how much one request may be longer on its way to the server than another."""

_PUNCTUAL_SECONDS = 0.001
"""A departure no later than this counts as on time; the guard covers it."""

_SPARE = 32
"""Log entries kept beyond the largest limit: given-back slots must not lose the N-th one back."""


@dataclass(frozen=True)
class WindowRule:
    """At most `limit` slots in any span of `period` seconds, the guard included."""

    limit: int
    period: float


@dataclass(frozen=True)
class QuotaRule:
    """At most `limit` slots in a calendar day of `timezone`."""

    limit: int
    timezone: str


@dataclass(frozen=True)
class Rules:
    """All the limits of one scope; they hold at once."""

    windows: tuple[WindowRule, ...] = ()
    quotas: tuple[QuotaRule, ...] = ()
    guard: float = GUARD_SECONDS

    @classmethod
    def of(cls, limits: Limits, guard: float = GUARD_SECONDS) -> Rules:
        """The rules that a source file states."""
        windows = (WindowRule(w.limit, w.period.total_seconds() + guard) for w in limits.windows)
        return cls(tuple(windows), tuple(QuotaRule(q.limit, q.timezone) for q in limits.quota), guard)

    @property
    def longest_log(self) -> int:
        """How many slots must be remembered."""
        return max((window.limit for window in self.windows), default=0) + _SPARE


@dataclass(frozen=True)
class Slot:
    """A permit to send one request at `at` (seconds of the monotonic clock)."""

    at: float
    days: tuple[str, ...] = ()  # quota days it was counted in


@dataclass(frozen=True)
class Parked:
    """No request may leave before `until` (UTC): a quota is used up, or the source stopped us."""

    until: datetime


@dataclass
class State:
    """What is known of one scope. `reserve`, `give_back` and the rest change it in place."""

    log: list[float] = field(default_factory=list)  # slots, ascending
    blocked_until: float = 0.0
    parked_until: datetime | None = None
    used: dict[str, int] = field(default_factory=dict)  # quota day ("2013-03-01 Zone/Name") -> slots


def reserve(state: State, rules: Rules, now: float, wall: datetime) -> Slot | Parked:
    """Take the earliest slot that no rule forbids, first come first served.

    Args:
        state: Of the scope; changed.
        rules: All that hold.
        now: Seconds of the monotonic clock.
        wall: The same instant as a date, UTC; only quotas look at it.
    """
    if (until := _parked_until(state, wall)) is not None:
        return Parked(until)
    at = _earliest(state, rules, now)
    sent = wall + timedelta(seconds=at - now)
    spent = [next_day(q.timezone, sent) for q in rules.quotas if used_today(state, q, sent) >= q.limit]
    if spent:
        return Parked(max(spent))
    slot = Slot(at, _days(rules, sent))
    _remember(state, rules, slot)
    return slot


def depart(state: State, rules: Rules, slot: Slot, now: float, wall: datetime) -> Slot | None:
    """Use a slot that has come: the log then holds when its request really left.

    Whoever is late leaves now, if that still keeps every rule; slots given since then are judged against it
    when they depart in their turn. So every departure keeps the rules against all departures before it,
    however late anybody woke.

    Returns:
        The slot as the log has it now. None when the request may not leave (a cooldown began, others left
        meanwhile, the quota's day is over); the slot is then given back.
    """
    give_back(state, slot)
    at = now if now - slot.at > _PUNCTUAL_SECONDS else slot.at
    place = bisect_right(state.log, at)
    is_free = all(place < w.limit or state.log[place - w.limit] + w.period <= at for w in rules.windows)
    is_held = now < state.blocked_until or _parked_until(state, wall) is not None
    if not is_free or is_held or slot.days != _days(rules, wall):
        return None
    state.log.insert(place, at)
    for day in slot.days:
        state.used[day] += 1
    return Slot(at, slot.days)


def give_back(state: State, slot: Slot) -> None:
    """Undo a reservation whose request did not leave."""
    place = bisect_left(state.log, slot.at)
    if place < len(state.log) and state.log[place] == slot.at:
        del state.log[place]
    for day in slot.days:
        state.used[day] = max(0, state.used.get(day, 0) - 1)


def block(state: State, until: float) -> None:
    """No slot before `until` (monotonic clock); a longer block that stands stays."""
    state.blocked_until = max(state.blocked_until, until)


def park(state: State, until: datetime) -> None:
    """No slot before `until` (UTC); a later one that stands stays."""
    state.parked_until = until if state.parked_until is None else max(state.parked_until, until)


def used_today(state: State, quota: QuotaRule, wall: datetime) -> int:
    """Slots taken in the quota's present day."""
    return state.used.get(_day(quota.timezone, wall), 0)


def next_day(timezone: str, wall: datetime) -> datetime:
    """The instant (UTC) at which the next calendar day of a zone begins."""
    tomorrow = wall.astimezone(_zone(timezone)).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(0), _zone(timezone)).astimezone(UTC)


def _parked_until(state: State, wall: datetime) -> datetime | None:
    return state.parked_until if state.parked_until is not None and wall < state.parked_until else None


def _earliest(state: State, rules: Rules, now: float) -> float:
    log = state.log
    at = max(now, state.blocked_until, log[-1] if log else now)
    for window in rules.windows:
        if len(log) >= window.limit:
            at = max(at, log[-window.limit] + window.period)
    return at


def _remember(state: State, rules: Rules, slot: Slot) -> None:
    state.log.append(slot.at)
    del state.log[: -rules.longest_log]
    for day in slot.days:
        if day not in state.used:
            _forget_days_before(state, day)
        state.used[day] = state.used.get(day, 0) + 1


def _forget_days_before(state: State, day: str) -> None:
    # Yesterday stays: a clock set back over midnight must not make its slots available again.
    oldest = (datetime.fromisoformat(day[:10]) - timedelta(days=2)).date().isoformat()
    state.used = {name: count for name, count in state.used.items() if name >= oldest}


def _days(rules: Rules, wall: datetime) -> tuple[str, ...]:
    return tuple(sorted({_day(quota.timezone, wall) for quota in rules.quotas}))


def _day(timezone: str, wall: datetime) -> str:
    return f"{wall.astimezone(_zone(timezone)).date()} {timezone}"


@lru_cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
