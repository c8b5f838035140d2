"""What a schedule's tick asks for, from calendars and cadences alone; no Dagster.

A date is *complete* for a dataset once all its sessions up to that date are out: on the date of session T+lag,
session T is out, and so is every closed day before the session after T. A tick asks for what became complete
between the day before and its own day, so that, one tick a day, every session and period is asked for exactly once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from finpipe.calendars import Calendar
from finpipe.sources.spec import Cadence

_DAY = timedelta(days=1)
_ANY_DAY = date(2024, 1, 15)


@dataclass(frozen=True)
class Alarm:
    """When a day's data is out: `after` its midnight in `timezone`, possibly on the next day."""

    timezone: str
    after: timedelta

    @classmethod
    def of(cls, cadence: Cadence, *, late: bool = False) -> Alarm:
        """When a dataset is available; with `late`, when its grace has passed as well."""
        available = datetime.combine(date.min, cadence.available.time) - datetime.combine(date.min, time.min)
        return cls(cadence.timezone, available + (cadence.grace if late else timedelta(0)))

    @property
    def cron(self) -> str:
        """The cron line of its daily tick, in `timezone`."""
        minutes = int(self.after.total_seconds()) // 60
        return f"{minutes % 60} {minutes // 60 % 24} * * *"

    def day_at(self, instant: datetime) -> date:
        """The newest day whose data is out at an instant, by the clock on the wall.

        A wall time that a clock change skips counts as passed when the clock has jumped over it.
        """
        wall = instant.astimezone(ZoneInfo(self.timezone)).replace(tzinfo=None)
        return (wall - self.after).date()

    def later(self, delay: timedelta) -> Alarm:
        """The same, some time later."""
        return Alarm(self.timezone, self.after + delay)


def latest(cadences: Sequence[Cadence]) -> Alarm:
    """The alarm after which the day's data of every dataset is out, grace included."""
    return max((Alarm.of(cadence, late=True) for cadence in cadences), key=_rings_at)


def _rings_at(alarm: Alarm) -> datetime:
    # Clock changes move zones against each other by an hour at most, which grace covers.
    midnight = datetime.combine(_ANY_DAY, time.min, ZoneInfo(alarm.timezone))
    return midnight.astimezone(UTC) + alarm.after


@dataclass(frozen=True)
class Pace:
    """The sessions of a dataset and how many sessions later they are out."""

    calendar: Calendar
    lag: int

    def complete_through(self, day: date) -> date:
        """The last date that is complete on `day`."""
        newest = self.calendar.previous_session(day + _DAY)
        return self.calendar.next_session(self.calendar.offset(newest, -self.lag)) - _DAY


@dataclass(frozen=True)
class Completed:
    """The dates that became complete on a day: after `after`, up to `through`."""

    after: date
    through: date

    def days(self) -> Iterator[date]:
        """Each of them, ascending."""
        return (self.after + n * _DAY for n in range(1, (self.through - self.after).days + 1))

    def sessions(self, paces: Sequence[Pace]) -> list[date]:
        """Those that are a session of any dataset."""
        return [day for day in self.days() if any(pace.calendar.is_session(day) for pace in paces)]

    def weeks(self) -> list[date]:
        """Mondays of the weeks that ended among them."""
        return [week_of(day) for day in self.days() if day == week_of(day) + 6 * _DAY]

    def months(self) -> list[date]:
        """Firsts of the months that ended among them."""
        return [month_of(day) for day in self.days() if (day + _DAY).day == 1]


def completed(paces: Sequence[Pace], day: date) -> Completed:
    """The dates that became complete for all datasets on `day`."""
    before, now = (min(pace.complete_through(at) for pace in paces) for at in (day - _DAY, day))
    return Completed(before, now)


def week_of(day: date) -> date:
    """The Monday that names a date's week."""
    return day - day.weekday() * _DAY


def month_of(day: date) -> date:
    """The first that names a date's month."""
    return day.replace(day=1)
