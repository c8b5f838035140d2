"""What a calendar answers."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from finpipe.errors import CalendarError

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Calendar:
    """The sessions of one venue from `first` to `last`, both included.

    A session is a date as the venue names it. Instants are UTC. Every answer outside the range is a
    `CalendarError`: an unknown holiday must not pass for a session.

    Attributes:
        name: What it is asked for by: a market identifier code, or `24/7`.
        timezone: IANA zone of `opens` and `closes`.
        version: Of the data file; with overrides, `+` and a digest of them is added.
        first: First date the file speaks of.
        last: Last date the file speaks of.
        weekdays: Seven digits, Monday first; 1 where the venue usually opens.
        opens: Wall time of the open.
        closes: Wall time of the close; one not after `opens` is on the next date (`24/7`: midnight).
        closed: Dates without a session that `weekdays` would make one.
        extra: Dates with a session that `weekdays` would not make one.
        early_closes: Sessions that close before `closes`.
    """

    name: str
    timezone: str
    version: str
    first: date
    last: date
    weekdays: str
    opens: time
    closes: time
    closed: frozenset[date]
    extra: frozenset[date]
    early_closes: Mapping[date, time] = field(hash=False)

    def is_session(self, day: date) -> bool:
        """Whether the venue opens on that date."""
        return self._find(day) is not None

    def sessions(self, first: date, last: date) -> list[date]:
        """Sessions from `first` to `last`, both included, ascending; none when `first` is after `last`."""
        self._require_known(first)
        self._require_known(last)
        return list(self._all[bisect_left(self._all, first) : bisect_right(self._all, last)])

    def next_session(self, day: date) -> date:
        """First session after that date, which need not be a session itself."""
        self._require_known(day)
        return self._nth(bisect_right(self._all, day), f"after {day}")

    def previous_session(self, day: date) -> date:
        """Last session before that date, which need not be a session itself."""
        self._require_known(day)
        return self._nth(bisect_left(self._all, day) - 1, f"before {day}")

    def offset(self, session: date, n: int) -> date:
        """Session `n` sessions later; earlier when `n` is negative."""
        return self._nth(self._index(session) + n, f"{n:+d} from {session}")

    def open_at(self, session: date) -> datetime:
        """Instant the session opens."""
        self._index(session)
        return self._instant(session, self.opens)

    def close_at(self, session: date) -> datetime:
        """Instant the session closes, early closes included."""
        self._index(session)
        early = self.early_closes.get(session)
        if early is not None:
            return self._instant(session, early)
        return self._instant(session + _DAY if self.closes <= self.opens else session, self.closes)

    def at(self, session: date, lag: int, time: time, timezone: str) -> datetime:
        """Instant of "T+lag HH:MM" of a session.

        Args:
            session: T.
            lag: Counted in sessions, not in dates.
            time: Wall time on the date of session T+lag.
            timezone: IANA zone of `time`. A wall time that a clock change repeats is its first
                occurrence; one that it skips is as far after the change as it says.
        """
        return _instant(self.offset(session, lag), time, timezone)

    @cached_property
    def _all(self) -> tuple[date, ...]:
        usual = [digit == "1" for digit in self.weekdays]
        span = map(date.fromordinal, range(self.first.toordinal(), self.last.toordinal() + 1))
        return tuple(day for day in span if (usual[day.weekday()] and day not in self.closed) or day in self.extra)

    def _find(self, day: date) -> int | None:
        self._require_known(day)
        index = bisect_left(self._all, day)
        return index if index < len(self._all) and self._all[index] == day else None

    def _index(self, session: date) -> int:
        index = self._find(session)
        if index is None:
            raise CalendarError(f"{self.name}: {session:%A} {session} is not a session")
        return index

    def _nth(self, index: int, asked: str) -> date:
        if not 0 <= index < len(self._all):
            raise self._outside(f"the session {asked}")
        return self._all[index]

    def _require_known(self, day: date) -> None:
        if not self.first <= day <= self.last:
            raise self._outside(str(day))

    def _outside(self, what: str) -> CalendarError:
        return CalendarError(
            f"{self.name}: {what} is outside the calendar, which knows {self.first} to {self.last} "
            f"(version {self.version}). A newer finpipe may reach further."
        )

    def _instant(self, day: date, wall_time: time) -> datetime:
        return _instant(day, wall_time, self.timezone)


def _instant(day: date, wall_time: time, timezone: str) -> datetime:
    return datetime.combine(day, wall_time, _zone(timezone)).astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown, not a relative path, a directory of zones
        raise CalendarError(f"unknown time zone {name!r}: expected an IANA name like America/New_York") from error
