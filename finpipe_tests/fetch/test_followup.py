from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from finpipe.fetch.classify import Outcome, Verdict
from finpipe.fetch.followup import Circumstances, Followup, follow_up
from finpipe.fetch.ledger import Claim, RequestState
from finpipe.fetch.planner import Ask, plan
from finpipe.sources.spec import Source

NOW = datetime(2013, 3, 2, 0, 30, tzinfo=UTC)
AVAILABLE = datetime(2013, 3, 1, 23, 0, tzinfo=UTC)
FRIDAY = date(2013, 3, 1)
MONDAY = date(2013, 2, 25)
GIVEN = Circumstances(NOW, strikes=1, jitter=0.5)

MakeSource = Callable[..., Source]
Follow = Callable[..., Followup]


@pytest.fixture
def follow(make_source: MakeSource, make_ask: Callable[..., Ask]) -> Follow:
    """Follows up a verdict on the week's request of a window dataset."""
    source = make_source(
        "window",
        limits={"windows": [{"limit": 1, "period": "1s"}, {"limit": 5, "period": "1m"}], "quota": [{"limit": 25}]},
        retries={"max_attempts": 3, "base": "4s", "factor": 10, "max": "20s"},
    )
    request = plan(make_ask(source, MONDAY, FRIDAY), now=NOW, coverage={}, pending={}).requests[0]

    def build(verdict: Verdict, given: Circumstances = GIVEN, *, attempt: int = 0) -> Followup:
        return follow_up(verdict, Claim(request, attempt, "t", is_reclaimed=False), source, source.datasets[0], given)

    return build


@pytest.mark.parametrize(
    ("reaches", "expected"),
    [
        pytest.param(None, (RequestState.DONE, FRIDAY), id="says nothing"),
        pytest.param(FRIDAY, (RequestState.DONE, FRIDAY), id="reaches"),
        pytest.param(date(2013, 3, 4), (RequestState.DONE, date(2013, 3, 4)), id="reaches further"),
        pytest.param(date(2013, 2, 28), (RequestState.READY, date(2013, 2, 28)), id="stops before"),
        pytest.param(date(2013, 2, 22), (RequestState.READY, None), id="before the first"),
    ],
)
def test_answer_covers_what_it_reaches(
    follow: Follow, reaches: date | None, expected: tuple[RequestState, date | None]
) -> None:
    found = follow(Verdict(Outcome.OK, reaches=reaches))
    assert (found.state, found.reached) == expected


@pytest.mark.parametrize(
    ("hours_after", "wait_minutes"),
    [(0, 15), (0.25, 15), (1, 30), (4, 120), (12, 360), (100, 360)],
)
def test_unpublished_is_looked_for_ever_less_often(follow: Follow, hours_after: float, wait_minutes: float) -> None:
    now = AVAILABLE + timedelta(hours=hours_after)
    found = follow(Verdict(Outcome.NOT_PUBLISHED), replace(GIVEN, now=now))
    assert (found.state, found.due, found.attempt) == (RequestState.READY, now + timedelta(minutes=wait_minutes), 0)


def test_unpublished_is_given_up_in_the_end_and_keeps_what_was_covered(follow: Follow) -> None:
    given = replace(GIVEN, now=AVAILABLE + timedelta(days=5))
    found = follow(Verdict(Outcome.OK, reaches=date(2013, 2, 27)), given)
    assert (found.state, found.outcome, found.reached) == (
        RequestState.DEAD,
        Outcome.NOT_PUBLISHED,
        date(2013, 2, 27),
    )


@pytest.mark.parametrize(
    ("retry_after", "strikes", "expected"),
    [
        pytest.param(None, 1, 60.0, id="the longest window"),
        pytest.param(None, 5, 128.0, id="longer when that did not help"),
        pytest.param(30.0, 1, 30.0, id="what was asked for"),
        pytest.param(30.0, 5, 128.0, id="what was asked for did not help"),
        pytest.param(1e9, 1, 86400.0, id="a day at most"),
        pytest.param(None, 900, 86400.0, id="a day at most, however often"),
    ],
)
def test_rate_limit_cools_the_source_down_and_spends_no_attempt(
    follow: Follow, retry_after: float | None, strikes: int, expected: float
) -> None:
    verdict = Verdict(Outcome.RATE_LIMITED, retry_after_seconds=retry_after)
    found = follow(verdict, replace(GIVEN, strikes=strikes), attempt=1)
    assert (found.cooldown_seconds, found.state, found.attempt) == (expected, RequestState.READY, 1)
    assert found.due == NOW + timedelta(seconds=expected)


def test_spent_quota_parks_the_source_until_the_zone_s_midnight(follow: Follow) -> None:
    found = follow(Verdict(Outcome.QUOTA_EXHAUSTED))
    assert found.state is RequestState.PARKED
    assert found.due == found.parks_until == datetime(2013, 3, 3, tzinfo=UTC)


def test_block_parks_the_source_for_hours(follow: Follow) -> None:
    assert follow(Verdict(Outcome.BLOCKED)).parks_until == NOW + timedelta(hours=6)


@pytest.mark.parametrize("outcome", [Outcome.RETRY, Outcome.TRUNCATED])
def test_passing_fault_waits_longer_each_time_and_is_given_up(follow: Follow, outcome: Outcome) -> None:
    found = [follow(Verdict(outcome), attempt=attempt) for attempt in range(3)]
    assert [(f.state, f.attempt) for f in found] == [
        (RequestState.READY, 1),
        (RequestState.READY, 2),
        (RequestState.DEAD, 3),
    ]
    assert [(f.due - NOW).total_seconds() for f in found] == [2.0, 10.0, 0.0]  # 4 s, then 40 cut to 20; half of each


def test_unexpected_answer_gets_one_more_chance(follow: Follow) -> None:
    assert follow(Verdict(Outcome.UNEXPECTED)).state is RequestState.READY
    assert follow(Verdict(Outcome.UNEXPECTED), attempt=1).state is RequestState.DEAD


def test_refusal_of_one_request_gives_it_up(follow: Follow) -> None:
    assert follow(Verdict(Outcome.FAIL)).state is RequestState.DEAD


def test_wrong_key_stops_the_source_and_keeps_the_request(follow: Follow) -> None:
    found = follow(Verdict(Outcome.FAIL_CONFIG), attempt=2)
    assert (found.is_stop, found.state, found.attempt) == (True, RequestState.READY, 2)


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_consequence(follow: Follow, outcome: Outcome) -> None:
    assert isinstance(follow(Verdict(outcome)), Followup)
