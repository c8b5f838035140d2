from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finpipe.calendars import Calendar
from finpipe.errors import CalendarError
from finpipe.fetch.planner import Ask, Covered, Plan, available_at, last_due, plan
from finpipe.raw.receipt import item_key
from finpipe.sources.spec import Source

NOW = datetime(2013, 3, 2, 0, 30, tzinfo=UTC)
FRIDAY = date(2013, 3, 1)
MONDAY = date(2013, 2, 25)
WEEK = [MONDAY + timedelta(days=n) for n in range(5)]
IBM = item_key({"symbol": "IBM"})
CADENCE = {"calendar": "TEST", "available": "T+0 18:00", "timezone": "America/New_York", "recheck": ["1d"]}
CHOOSE = {"size": {"compact": "missing <= 100 sessions", "full": "otherwise"}}
MakeSource = Callable[..., Source]
MakeAsk = Callable[..., Ask]


def planned(ask: Ask, now: datetime = NOW, **known: dict[str, list[Covered]]) -> Plan:
    return plan(ask, now=now, coverage=known.get("coverage", {}), pending=known.get("pending", {}))


def spans(found: Plan) -> list[tuple[date, date]]:
    return [(request.first, request.last) for request in found.requests]


def test_available_at_is_the_wall_time_of_the_cadence_s_zone(make_source: MakeSource, weekdays: Calendar) -> None:
    dataset = make_source().datasets[0]
    assert available_at(dataset, weekdays, FRIDAY) == datetime(2013, 3, 1, 23, 0, tzinfo=UTC)
    assert available_at(dataset, weekdays, date(2013, 3, 11)) == datetime(2013, 3, 11, 22, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(datetime(2013, 3, 1, 22, 59, tzinfo=UTC), None, id="not yet"),
        pytest.param(datetime(2013, 3, 1, 23, 0, tzinfo=UTC), datetime(2013, 3, 1, 23, tzinfo=UTC), id="just out"),
        pytest.param(datetime(2013, 3, 2, 22, 59, tzinfo=UTC), datetime(2013, 3, 1, 23, tzinfo=UTC), id="out"),
        pytest.param(datetime(2013, 3, 2, 23, 0, tzinfo=UTC), datetime(2013, 3, 2, 23, tzinfo=UTC), id="recheck"),
    ],
)
def test_last_due(make_source: MakeSource, weekdays: Calendar, now: datetime, expected: datetime | None) -> None:
    dataset = make_source(dataset={"cadence": CADENCE}).datasets[0]
    assert last_due(dataset, weekdays, FRIDAY, now) == expected


def test_plan_of_sessions_asks_once_for_each(make_source: MakeSource, make_ask: MakeAsk) -> None:
    found = planned(make_ask(make_source(), *WEEK))
    assert spans(found) == [(day, day) for day in WEEK]
    assert [request.params for request in found.requests] == [{"day": day.isoformat()} for day in WEEK]


def test_plan_asks_nothing_for_closed_days(make_source: MakeSource, make_ask: MakeAsk) -> None:
    closed = [date(2013, 1, 1), date(2013, 2, 23), date(2013, 2, 24)]
    found = planned(make_ask(make_source(), *closed))
    assert (found.requests, found.no_session) == ([], closed)


def test_plan_asks_nothing_before_the_dataset_begins(make_source: MakeSource, make_ask: MakeAsk) -> None:
    found = planned(make_ask(make_source(dataset={"start": WEEK[1]}), *WEEK[:3]))
    assert (spans(found), found.no_session) == ([(WEEK[1], WEEK[1]), (WEEK[2], WEEK[2])], [MONDAY])


def test_plan_asks_nothing_that_is_not_due(make_source: MakeSource, make_ask: MakeAsk) -> None:
    coming = date(2013, 3, 4)
    found = planned(make_ask(make_source(), FRIDAY, coming))
    assert (spans(found), found.not_due) == ([(FRIDAY, FRIDAY)], [coming])


def test_plan_of_a_window_asks_once_for_the_whole_history(make_source: MakeSource, make_ask: MakeAsk) -> None:
    start = date(2012, 1, 2)
    found = planned(make_ask(make_source("window", dataset={"start": start}), FRIDAY, symbols=("IBM", "MSFT")))
    assert spans(found) == [(start, FRIDAY)] * 2
    assert [request.item for request in found.requests] == [{"symbol": "IBM"}, {"symbol": "MSFT"}]


def test_plan_of_a_window_without_start_begins_at_the_first_asked(make_source: MakeSource, make_ask: MakeAsk) -> None:
    found = planned(make_ask(make_source("window"), WEEK[3], WEEK[1]))
    assert spans(found) == [(WEEK[1], WEEK[3])]


def test_plan_of_a_window_begins_where_coverage_ends(make_source: MakeSource, make_ask: MakeAsk) -> None:
    source = make_source("window", dataset={"start": date(2012, 1, 2)})
    coverage = {IBM: [Covered(date(2012, 1, 2), WEEK[1], NOW)]}
    found = planned(make_ask(source, *WEEK), coverage=coverage)
    assert (spans(found), found.covered) == ([(WEEK[2], FRIDAY)], 2)


def test_plan_of_a_window_asks_nothing_when_only_unasked_sessions_lack(
    make_source: MakeSource, make_ask: MakeAsk
) -> None:
    source = make_source("window", dataset={"start": date(2012, 1, 2)})
    found = planned(make_ask(source, FRIDAY), coverage={IBM: [Covered(FRIDAY, FRIDAY, NOW)]})
    assert found.requests == []


@pytest.mark.parametrize(
    ("covered_to", "expected"),
    [(date(2012, 10, 10), "full"), (date(2012, 10, 11), "compact")],
    ids=["100 sessions do not reach back", "100 sessions do"],
)
def test_plan_chooses_by_how_far_the_answer_must_reach_back(
    make_source: MakeSource, make_ask: MakeAsk, covered_to: date, expected: str
) -> None:
    start = date(2012, 1, 2)
    source = make_source("window", dataset={"start": start, "endpoint": {"path": "/", "choose": CHOOSE}})
    # Sessions after the asked one count, too: the provider's 100 begin at the newest.
    found = planned(make_ask(source, date(2012, 10, 16)), coverage={IBM: [Covered(start, covered_to, NOW)]})
    assert found.requests[0].params == {"size": expected}


def test_plan_asks_again_after_a_recheck_and_only_once(make_source: MakeSource, make_ask: MakeAsk) -> None:
    ask = make_ask(make_source(dataset={"cadence": CADENCE}), FRIDAY)
    first = planned(ask)
    coverage = {item_key({}): [Covered(FRIDAY, FRIDAY, NOW)]}
    assert planned(ask, NOW + timedelta(hours=22), coverage=coverage).requests == []
    second = planned(ask, NOW + timedelta(hours=23), coverage=coverage)
    assert spans(second) == [(FRIDAY, FRIDAY)]
    assert second.requests[0].key != first.requests[0].key
    coverage = {item_key({}): [Covered(FRIDAY, FRIDAY, NOW + timedelta(hours=23))]}
    assert planned(ask, NOW + timedelta(days=9), coverage=coverage).requests == []


def test_plan_keeps_the_key_of_the_same_question(make_source: MakeSource, make_ask: MakeAsk) -> None:
    ask = make_ask(make_source("window"), *WEEK)
    later = planned(ask, NOW + timedelta(hours=5))
    assert later.requests[0].key == planned(ask).requests[0].key


def test_plan_asks_nothing_that_is_on_its_way(make_source: MakeSource, make_ask: MakeAsk) -> None:
    found = planned(make_ask(make_source("window"), *WEEK), pending={IBM: [Covered(WEEK[0], WEEK[3], NOW)]})
    assert (spans(found), found.pending) == ([(FRIDAY, FRIDAY)], 4)


def test_plan_of_a_refresh_asks_again_each_time(make_source: MakeSource, make_ask: MakeAsk) -> None:
    ask = make_ask(make_source("window", dataset={"start": date(2012, 1, 2)}), *WEEK[2:], refresh=True)
    coverage = {IBM: [Covered(date(2012, 1, 2), FRIDAY, NOW)]}
    first, second = (planned(ask, NOW + timedelta(seconds=n), coverage=coverage) for n in (0, 1))
    assert spans(first) == spans(second) == [(WEEK[2], FRIDAY)]
    assert first.requests[0].key != second.requests[0].key


def test_plan_quotes_items_in_a_path(make_source: MakeSource, make_ask: MakeAsk) -> None:
    source = make_source("window", dataset={"endpoint": {"path": "/{symbol}/bars"}})
    assert planned(make_ask(source, FRIDAY, symbols=("BRK/B",))).requests[0].path == "/BRK%2FB/bars"


def test_plan_of_days_outside_the_calendar_is_an_error(make_source: MakeSource, make_ask: MakeAsk) -> None:
    with pytest.raises(CalendarError):
        planned(make_ask(make_source(), date(1999, 1, 4)))


def test_plan_of_no_days_is_empty(make_source: MakeSource, make_ask: MakeAsk) -> None:
    assert planned(make_ask(make_source())) == Plan([], [], [], 0, 0)


_DAYS = st.dates(date(2013, 1, 28), date(2013, 3, 8))
_COVERED = st.builds(
    lambda a, b, hours: Covered(min(a, b), max(a, b), NOW - timedelta(hours=hours)),
    _DAYS, _DAYS, st.integers(0, 24 * 40),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    span=st.sampled_from(["session", "window", "snapshot"]),
    start=st.none() | _DAYS,
    asked=st.lists(_DAYS, max_size=12),
    covered=st.lists(_COVERED, max_size=3),
    pending=st.lists(_COVERED, max_size=2),
    recheck=st.sampled_from([[], ["1d"], ["1d", "3d"]]),
    refresh=st.booleans(),
)
def test_plan_laws(
    span: str,
    start: date | None,
    asked: list[date],
    covered: list[Covered],
    pending: list[Covered],
    recheck: list[str],
    refresh: bool,  # noqa: FBT001 - hypothesis fills it by name
) -> None:
    source = _source(span, start, recheck)
    dataset, calendar = source.datasets[0], _calendar()
    ask = Ask(source, dataset, calendar, [{}], asked, refresh)
    found = plan(ask, now=NOW, coverage={"{}": covered}, pending={"{}": pending})
    due = {day for day in asked if calendar.is_session(day) and last_due(dataset, calendar, day, NOW)}
    due = {day for day in due if start is None or day >= start}

    def has(day: date, intervals: list[Covered]) -> bool:
        at = last_due(dataset, calendar, day, NOW)
        return any(i.first <= day <= i.last and at is not None and at <= i.received_at for i in intervals)

    requested = [(request.first, request.last) for request in found.requests]
    lacking = due if refresh else {day for day in due if not has(day, covered) and not has(day, pending)}
    # Every asked session that is due is covered, pending or requested ...
    assert all(any(first <= day <= last for first, last in requested) for day in lacking)
    # ... each request is for something that lacked, and nothing is asked twice ...
    assert all(any(first <= day <= last for day in lacking) for first, last in requested)
    assert len({request.key for request in found.requests}) == len(requested)
    assert all(a[1] < b[0] for a, b in pairwise(requested))
    # ... every asked day is accounted for ...
    assert len(set(asked)) == len(found.no_session) + len(found.not_due) + len(due)
    assert refresh or len(due) == len(lacking) + found.covered + found.pending
    # ... and fetching what was planned leaves nothing to plan.
    answered = [*covered, *(Covered(first, last, NOW) for first, last in requested)]
    again = Ask(source, dataset, calendar, [{}], asked)
    assert plan(again, now=NOW, coverage={"{}": answered}, pending={"{}": pending}).requests == []


def _calendar() -> Calendar:
    first, last = date(2013, 1, 1), date(2013, 12, 31)
    closed = frozenset({date(2013, 2, 18)})
    return Calendar("T", "UTC", "1", first, last, "1111100", time(9), time(16), closed, frozenset(), {})


def _source(span: str, start: date | None, recheck: list[str]) -> Source:
    mapping = {
        "table": "bars",
        "columns": {name: name for name in ("symbol", "session", "open", "high", "low", "close")},
    }
    cadence = {"calendar": "T", "available": "T+1 04:00", "timezone": "America/New_York", "recheck": recheck}
    dataset = {
        "name": "daily",
        "cadence": cadence,
        "span": span,
        "start": start,
        "endpoint": {"path": "/"},
        "response": {"format": "json", "tables": [mapping]},
    }
    client = {"base_url": "https://acme.example"}
    return Source.model_validate({"source": "acme", "homepage": "", "client": client, "datasets": [dataset]})
