from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from finpipe import calendars
from finpipe.defs.ticks import Alarm, Pace, completed, latest, month_of, week_of
from finpipe.sources.spec import Cadence

XNYS, ALWAYS = calendars.load("XNYS"), calendars.load("24/7")
DAY = timedelta(days=1)
YEARS = (date(2012, 1, 2), date(2013, 12, 31))


def days(first: date, last: date) -> list[date]:
    return [first + n * DAY for n in range((last - first).days + 1)]


def cadence(available: str, timezone: str, grace: str = "2h") -> Cadence:
    return Cadence.model_validate({"calendar": "XNYS", "available": available, "timezone": timezone, "grace": grace})


@pytest.mark.parametrize(
    "paces",
    [
        pytest.param([Pace(XNYS, 0)], id="one venue"),
        pytest.param([Pace(XNYS, 1)], id="a session late"),
        pytest.param([Pace(XNYS, 0), Pace(ALWAYS, 0)], id="two calendars"),
        pytest.param([Pace(XNYS, 1), Pace(ALWAYS, 0)], id="two calendars, one late"),
    ],
)
def test_every_session_week_and_month_completes_exactly_once(paces: list[Pace]) -> None:
    ticks = [completed(paces, day) for day in days(*YEARS)]
    first, last = ticks[0].after + DAY, ticks[-1].through
    sessions = {day for pace in paces for day in pace.calendar.sessions(first, last)}
    ended = [day for day in days(first, last) if day.weekday() == 6]
    assert Counter(day for tick in ticks for day in tick.sessions(paces)) == Counter(sessions)
    assert [week for tick in ticks for week in tick.weeks()] == [week_of(day) for day in ended]
    assert [month for tick in ticks for month in tick.months()] == [
        month_of(day) for day in days(first, last) if (day + DAY).day == 1
    ]


def test_nothing_completes_before_its_last_session_is_out() -> None:
    for day in days(*YEARS):
        through = completed([Pace(XNYS, 0)], day).through
        assert not XNYS.sessions(day + DAY, through)
        assert not completed([Pace(XNYS, 1)], day).sessions([Pace(XNYS, 0)]) or XNYS.is_session(day)


def test_week_before_good_friday_completes_on_thursday() -> None:
    assert completed([Pace(XNYS, 0)], date(2013, 3, 28)).weeks() == [date(2013, 3, 25)]
    assert completed([Pace(XNYS, 0)], date(2013, 3, 29)).weeks() == []


def test_session_that_is_out_a_session_later_completes_on_tuesday_after_a_long_weekend() -> None:
    late = [Pace(XNYS, 1)]
    assert completed(late, date(2013, 1, 21)).sessions(late) == []  # Martin Luther King Day
    assert completed(late, date(2013, 1, 22)).sessions(late) == [date(2013, 1, 18)]


@pytest.mark.parametrize(
    ("available", "timezone"),
    [
        pytest.param("T+0 18:00", "America/New_York", id="evening"),
        pytest.param("T+0 02:30", "America/New_York", id="in the hour that clock changes skip and repeat"),
        pytest.param("T+0 00:00", "Asia/Tokyo", id="midnight"),
    ],
)
def test_alarm_of_each_day_speaks_of_that_day_whatever_the_clocks_do(available: str, timezone: str) -> None:
    alarm = Alarm.of(cadence(available, timezone))
    zone = ZoneInfo(timezone)
    for day in days(*YEARS):
        rings = (datetime.combine(day, datetime.min.time(), zone) + alarm.after).astimezone(UTC)
        assert alarm.day_at(rings) == day
        assert alarm.day_at(rings - timedelta(hours=2)) == day - DAY


def test_alarm_after_midnight_speaks_of_the_day_before() -> None:
    alarm = Alarm.of(cadence("T+0 22:30", "America/New_York", "4h"), late=True)
    assert alarm.cron == "30 2 * * *"
    assert alarm.day_at(datetime(2013, 3, 2, 7, 30, tzinfo=UTC)) == date(2013, 3, 1)


def test_latest_alarm_is_the_last_to_ring_in_the_world() -> None:
    new_york = cadence("T+0 18:00", "America/New_York", "4h")
    assert latest([cadence("T+0 23:00", "Asia/Tokyo"), new_york]) == Alarm("America/New_York", timedelta(hours=22))
