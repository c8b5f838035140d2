from __future__ import annotations

from datetime import date, time
from pathlib import Path

import pytest

from finpipe.calendars import Calendar, load
from finpipe.calendars.overrides import apply_overrides
from finpipe.errors import CalendarError

PLAIN = {"XNYS": load("XNYS"), "24/7": load("24/7")}


def overridden(text: str, name: str = "XNYS") -> Calendar:
    return apply_overrides(Path("overrides.yaml"), text, PLAIN)[name]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"])
def test_an_empty_file_overrides_nothing(text: str) -> None:
    assert apply_overrides(Path("overrides.yaml"), text, PLAIN) == {}


def test_fields_left_empty_override_nothing() -> None:
    calendar = overridden("XNYS:\n  closed:\n  # - 2013-03-01\n  early_close:\n")
    assert calendar.sessions(calendar.first, calendar.last) == PLAIN["XNYS"].sessions(calendar.first, calendar.last)


def test_closed_takes_a_session_away() -> None:
    calendar = overridden("XNYS: {closed: [2013-03-01, 2013-03-02]}")
    assert calendar.sessions(date(2013, 2, 28), date(2013, 3, 4)) == [date(2013, 2, 28), date(2013, 3, 4)]


def test_closed_takes_its_early_close_away() -> None:
    assert date(2024, 7, 3) not in overridden("XNYS: {closed: [2024-07-03]}").early_closes


def test_open_makes_sessions_of_a_weekend_and_of_a_holiday() -> None:
    calendar = overridden("XNYS: {open: [2013-03-02, 2013-03-29]}")
    assert calendar.is_session(date(2013, 3, 2))
    assert calendar.is_session(date(2013, 3, 29))


@pytest.mark.parametrize("at", ['"13:00"', "13:00", "'13:00'"])
def test_early_close_takes_a_time_quoted_or_not(at: str) -> None:
    # YAML 1.1 reads a bare 13:00 as the number 780.
    calendar = overridden(f"XNYS: {{early_close: {{2013-03-01: {at}}}}}")
    assert calendar.early_closes[date(2013, 3, 1)] == time(13)


def test_early_close_moves_one_that_is_known() -> None:
    calendar = overridden('XNYS: {early_close: {2024-07-03: "12:00"}}')
    assert calendar.early_closes[date(2024, 7, 3)] == time(12)


def test_early_close_may_be_on_a_day_the_same_file_opens() -> None:
    calendar = overridden('XNYS: {open: [2013-03-02], early_close: {2013-03-02: "13:00"}}')
    assert calendar.early_closes[date(2013, 3, 2)] == time(13)


def test_early_close_round_the_clock_is_before_midnight() -> None:
    calendar = overridden('24/7: {early_close: {2013-03-02: "23:00"}}', "24/7")
    assert calendar.close_at(date(2013, 3, 2)).hour == 23


def test_version_tells_overrides_apart_but_not_their_spelling() -> None:
    plain, versions = PLAIN["XNYS"].version, {}
    for days in ("2013-03-01, 2013-02-28", "2013-02-28, 2013-03-01  # the same", "2013-02-28"):
        versions[days] = overridden(f"XNYS:\n  closed: [{days}\n    ]").version
    assert len(set(versions.values())) == 2
    assert all(version.startswith(f"{plain}+") for version in versions.values())


def test_version_stays_when_the_file_says_what_is_known() -> None:
    assert overridden("XNYS: {closed: [2001-09-11, 2013-03-02], open: [2013-03-01]}").version == PLAIN["XNYS"].version


def test_overrides_leave_the_packaged_calendar_as_it_was() -> None:
    overridden('XNYS: {closed: [2013-03-01], early_close: {2013-02-28: "13:00"}}')
    assert PLAIN["XNYS"].is_session(date(2013, 3, 1))
    assert date(2013, 2, 28) not in PLAIN["XNYS"].early_closes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("XNYS: [", "overrides.yaml:1: not YAML: ", id="broken YAML"),
        pytest.param("XNYS: \x00", "overrides.yaml: not YAML: ", id="control character"),
        pytest.param("- XNYS", "overrides.yaml:1: expected calendars by name", id="a list"),
        pytest.param("\nXNYE: {}", "overrides.yaml:2: unknown calendar 'XNYE'; did you mean 'XNYS'", id="venue"),
        pytest.param("XNYS: {}\nXNYS: {}", "overrides.yaml:2: 'XNYS' stands twice", id="venue twice"),
        pytest.param("XNYS: 1", "overrides.yaml:1: XNYS: expected fields: closed, open, early_close", id="no fields"),
        pytest.param(
            "XNYS:\n  close: []",
            "overrides.yaml:2: XNYS: unknown field 'close'; did you mean 'closed'",
            id="unknown field",
        ),
        pytest.param("XNYS: {closed: 2013-03-01}", "XNYS.closed: expected a list of dates", id="no list"),
        pytest.param(
            "XNYS:\n  closed:\n  - 2013-03-01\n  - 2013-02-30",
            "overrides.yaml:4: XNYS.closed: '2013-02-30' is not a date",
            id="no date",
        ),
        pytest.param("XNYS: {closed: [[2013-03-01]]}", "XNYS.closed: expected a plain value", id="nested list"),
        pytest.param("XNYS: {closed: [1989-12-29]}", "1989-12-29 is outside the calendar", id="out of range"),
        pytest.param(
            "XNYS:\n  closed: [2013-03-01]\n  open: [2013-03-01]",
            "overrides.yaml:3: XNYS.open: 2013-03-01 is also listed as closed",
            id="closed and open",
        ),
        pytest.param("XNYS: {early_close: [2013-03-01]}", "XNYS.early_close: expected times by date", id="no times"),
        pytest.param(
            'XNYS:\n  early_close:\n    2013-03-01: "1pm"',
            "overrides.yaml:3: XNYS.early_close.2013-03-01: '1pm' is not a time",
            id="no time",
        ),
        pytest.param("XNYS: {early_close: {2013-03-01: '13:00+01:00'}}", "is not a time", id="time with a zone"),
        pytest.param("XNYS: {early_close: {2013-03-01: '25:00'}}", "is not a time", id="impossible time"),
        pytest.param(
            'XNYS: {early_close: {2013-03-02: "13:00"}}',
            "XNYS.early_close: 2013-03-02 is not a session, so it cannot close early",
            id="early close of a Saturday",
        ),
        pytest.param(
            'XNYS: {early_close: {2013-03-01: "16:00"}}',
            "XNYS.early_close.2013-03-01: 16:00 is not between 09:30 and 16:00",
            id="not early",
        ),
        pytest.param('XNYS: {early_close: {2013-03-01: "09:30"}}', "is not between", id="before the open"),
    ],
)
def test_a_malformed_file_is_one_clear_error(text: str, message: str) -> None:
    with pytest.raises(CalendarError) as caught:
        overridden(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
