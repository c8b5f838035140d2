"""How often a provider may be asked, and the judge that holds every arrival against it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from finpipe.errors import SandboxError

TOLERANCE_SECONDS = 0.0005
"""Real seconds by which an arrival may be early: below what the clock and the event loop can tell apart."""

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LIMIT = re.compile(r"(?P<limit>[1-9]\d*)/(?:(?P<day>day)|(?P<count>\d+(?:\.\d+)?)?(?P<unit>ms|s|m|h))")


@dataclass(frozen=True)
class Window:
    """At most `limit` arrivals in any `period_seconds`, a sliding window."""

    limit: int
    period_seconds: float


@dataclass(frozen=True)
class DailyQuota:
    """At most `limit` arrivals in a calendar day of New York."""

    limit: int


Limit = Window | DailyQuota

PLANS: dict[str, dict[str, tuple[Limit, ...]]] = {
    # alphavantage.co/premium: free 25 a day and 5 a minute; 1 a second is asked for in its notice of 2025.
    "alpha_vantage": {
        "free": (Window(1, 1.0), Window(5, 60.0), DailyQuota(25)),
        "premium": (Window(75, 60.0),),
    },
    # The file server states no limit: one a second is what a polite client keeps.
    "finra_short_volume": {"free": (Window(1, 1.0),)},
}
"""Limits by provider and plan; `free` is what a provider grants when nothing else is said."""


@dataclass(frozen=True)
class Verdict:
    """What an arrival was: within the limits, or one too many.

    `in_window` counts the arrivals, this one included, in the window that is fullest for its limit (0: no window).
    """

    in_window: int
    window_exceeded: bool
    quota_exceeded: bool
    retry_after_seconds: float

    @property
    def is_violation(self) -> bool:
        return self.window_exceeded or self.quota_exceeded


class Judge:
    """Counts the arrivals of one provider. A refused arrival counts like any other."""

    def __init__(self, limits: Iterable[Limit], *, time_scale: float = 1.0) -> None:
        held = tuple(limits)
        self._windows = [
            Window(held_one.limit, held_one.period_seconds / time_scale)
            for held_one in held
            if isinstance(held_one, Window)
        ]
        self._quotas = [held_one.limit for held_one in held if isinstance(held_one, DailyQuota)]
        self._arrivals: list[float] = []
        self._by_day: Counter[date] = Counter()

    def arrive(self, monotonic: float, day: date) -> Verdict:
        """Count one arrival and judge it.

        Args:
            monotonic: Seconds; not earlier than the arrival before.
            day: The virtual date in New York, for daily quotas.
        """
        self._arrivals.append(monotonic)
        self._by_day[day] += 1
        counts = [self._count_within(window, monotonic) for window in self._windows]
        shares = [count / window.limit for count, window in zip(counts, self._windows, strict=True)]
        return Verdict(
            in_window=counts[shares.index(max(shares))] if shares else 0,
            window_exceeded=any(share > 1 for share in shares),
            quota_exceeded=any(self._by_day[day] > limit for limit in self._quotas),
            retry_after_seconds=max((self._free_after(w, monotonic) for w in self._windows), default=0.0),
        )

    def _count_within(self, window: Window, monotonic: float) -> int:
        start = monotonic - (window.period_seconds - TOLERANCE_SECONDS)
        return len(self._arrivals) - bisect_right(self._arrivals, start)

    def _free_after(self, window: Window, monotonic: float) -> float:
        if len(self._arrivals) < window.limit:
            return 0.0
        return max(0.0, self._arrivals[-window.limit] + window.period_seconds - monotonic)


def parse_limit(text: str) -> tuple[str, tuple[Limit, ...]]:
    """Read `SOURCE=10/1s` or, for several at once, `SOURCE=5/1m,25/day`.

    Raises:
        SandboxError: Not of that form, or a period of zero.
    """
    source, _, terms = text.partition("=")
    limits = tuple(_parse_term(term.strip()) for term in terms.split(","))
    if not source or any(limit is None for limit in limits):
        raise SandboxError(
            f"cannot read the limit {text!r}: expected SOURCE=COUNT/PERIOD, for instance "
            "alpha_vantage=5/1m,25/day or plain/a=1/2s (units ms, s, m, h; or day)"
        )
    return source, tuple(limit for limit in limits if limit is not None)


def _parse_term(term: str) -> Limit | None:
    match = _LIMIT.fullmatch(term)
    if match is None:
        return None
    if match["day"]:
        return DailyQuota(int(match["limit"]))
    period_seconds = float(match["count"] or 1) * _UNIT_SECONDS[match["unit"]]
    return Window(int(match["limit"]), period_seconds) if period_seconds > 0 else None
