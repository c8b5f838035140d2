from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finpipe.calendars import Calendar, load
from finpipe.errors import CalendarError

XNYS = load("XNYS")
ROUND_THE_CLOCK = load("24/7")
DAYS = st.dates(XNYS.first + timedelta(days=10), XNYS.last - timedelta(days=10))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "day",
    [
        pytest.param(date(1994, 4, 27), id="Nixon's funeral"),
        pytest.param(date(2001, 9, 14), id="after 11 September"),
        pytest.param(date(2012, 10, 30), id="hurricane Sandy"),
        pytest.param(date(2013, 3, 29), id="Good Friday"),
        pytest.param(date(2022, 6, 20), id="Juneteenth on the Monday after"),
        pytest.param(date(2025, 1, 9), id="Carter's funeral"),
        pytest.param(date(2013, 3, 2), id="Saturday"),
    ],
)
def test_new_york_has_no_session_on_closed_days(day: date) -> None:
    assert not XNYS.is_session(day)


def test_sessions_include_both_ends() -> None:
    # Thanksgiving week: https://www.nyse.com/markets/hours-calendars
    assert XNYS.sessions(date(2024, 11, 27), date(2024, 11, 29)) == [date(2024, 11, 27), date(2024, 11, 29)]


def test_sessions_of_a_reversed_range_are_none() -> None:
    assert XNYS.sessions(date(2024, 11, 29), date(2024, 11, 27)) == []


def test_sessions_given_away_do_not_change_the_calendar() -> None:
    XNYS.sessions(date(2024, 11, 27), date(2024, 11, 29)).clear()
    assert XNYS.sessions(date(2024, 11, 27), date(2024, 11, 29))


@given(DAYS, st.integers(0, 60))
def test_sessions_are_the_dates_that_are_sessions(first: date, length: int) -> None:
    last = min(first + timedelta(days=length), XNYS.last)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    assert XNYS.sessions(first, last) == [day for day in days if XNYS.is_session(day)]


@given(DAYS)
def test_neighbours_have_no_session_between(day: date) -> None:
    before, after = XNYS.previous_session(day), XNYS.next_session(day)
    assert before < day < after
    assert XNYS.sessions(before, after) == [before, *([day] if XNYS.is_session(day) else []), after]


@given(DAYS, st.integers(-500, 500))
def test_offset_is_undone_by_its_opposite(day: date, n: int) -> None:
    session = XNYS.next_session(day)
    try:
        there = XNYS.offset(session, n)
    except CalendarError:
        assert not XNYS.first + timedelta(days=900) < day < XNYS.last - timedelta(days=900)
    else:
        assert XNYS.offset(there, -n) == session
        assert len(XNYS.sessions(min(session, there), max(session, there))) == abs(n) + 1


@pytest.mark.parametrize(
    ("session", "closes"),
    [
        pytest.param(date(2013, 3, 1), utc("2013-03-01T21:00"), id="winter"),
        pytest.param(date(2013, 3, 11), utc("2013-03-11T20:00"), id="first session of summer time"),
        pytest.param(date(2024, 7, 3), utc("2024-07-03T17:00"), id="early close at 13:00"),
        pytest.param(date(1992, 12, 24), utc("1992-12-24T19:00"), id="early close at 14:00, as it was then"),
    ],
)
def test_close_of_a_new_york_session(session: date, closes: datetime) -> None:
    assert XNYS.close_at(session) == closes


def test_close_round_the_clock_is_the_next_midnight() -> None:
    assert ROUND_THE_CLOCK.open_at(date(2024, 2, 29)) == utc("2024-02-29T00:00")
    assert ROUND_THE_CLOCK.close_at(date(2024, 2, 29)) == utc("2024-03-01T00:00")


@pytest.mark.parametrize(
    ("lag", "wall_time", "timezone", "instant"),
    [
        pytest.param(0, time(18), "America/New_York", utc("2013-03-08T23:00"), id="same session"),
        pytest.param(1, time(18), "America/New_York", utc("2013-03-11T22:00"), id="over weekend and clock change"),
        pytest.param(1, time(8), "Europe/London", utc("2013-03-11T08:00"), id="zone of the source, not the venue"),
        pytest.param(-1, time(23), "UTC", utc("2013-03-07T23:00"), id="the session before"),
    ],
)
def test_instant_of_a_lagged_wall_time(lag: int, wall_time: time, timezone: str, instant: datetime) -> None:
    assert XNYS.at(date(2013, 3, 8), lag, wall_time, timezone) == instant


@pytest.mark.parametrize(
    ("day", "wall_time", "instant"),
    [
        pytest.param(date(2024, 11, 3), time(1, 30), utc("2024-11-03T05:30"), id="repeated: the first"),
        pytest.param(date(2024, 3, 10), time(2, 30), utc("2024-03-10T07:30"), id="skipped: as far after"),
    ],
)
def test_instant_of_a_wall_time_at_a_clock_change(day: date, wall_time: time, instant: datetime) -> None:
    assert ROUND_THE_CLOCK.at(day, 0, wall_time, "America/New_York") == instant


@pytest.mark.parametrize("name", ["America/NewYork", "America", "", "../etc"])
def test_instant_in_an_unknown_zone_is_an_error(name: str) -> None:
    with pytest.raises(CalendarError, match="unknown time zone"):
        XNYS.at(date(2013, 3, 8), 0, time(18), name)


@pytest.mark.parametrize("day", [date(1989, 12, 29), date(2031, 1, 2)])
def test_a_day_outside_the_file_is_an_error(day: date) -> None:
    answers: list[Callable[[], object]] = [
        lambda: XNYS.is_session(day),
        lambda: XNYS.sessions(day, day),
        lambda: XNYS.next_session(day),
        lambda: XNYS.previous_session(day),
        lambda: XNYS.offset(day, 1),
        lambda: XNYS.close_at(day),
    ]
    for answer in answers:
        with pytest.raises(CalendarError, match="knows 1990-01-01 to 2030-12-31"):
            answer()


def test_a_neighbour_outside_the_file_is_an_error() -> None:
    answers: list[Callable[[], object]] = [
        lambda: XNYS.next_session(XNYS.last),
        lambda: XNYS.previous_session(XNYS.first),
        lambda: XNYS.offset(date(2030, 12, 31), 1),
        lambda: XNYS.offset(date(1990, 1, 2), -1),
    ]
    for answer in answers:
        with pytest.raises(CalendarError, match="outside the calendar"):
            answer()


def test_a_closed_day_has_no_instants() -> None:
    answers: list[Callable[[date], object]] = [XNYS.open_at, XNYS.close_at, lambda day: XNYS.offset(day, 1)]
    for answer in answers:
        with pytest.raises(CalendarError, match="Saturday 2013-03-02 is not a session"):
            answer(date(2013, 3, 2))


def test_calendars_can_be_keys() -> None:
    calendars: dict[Calendar, str] = {XNYS: "stocks", ROUND_THE_CLOCK: "coins"}
    assert calendars[load("XNYS")] == "stocks"
