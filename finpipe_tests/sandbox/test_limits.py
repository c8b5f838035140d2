"""The judge against brute force over the log of arrivals, and the texts limits are given in."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finpipe.errors import SandboxError
from finpipe.sandbox.limits import TOLERANCE_SECONDS, DailyQuota, Judge, Window, parse_limit

DAY = date(2013, 3, 1)
gaps = st.lists(st.floats(0, 3, allow_nan=False), min_size=1, max_size=40)
windows = st.lists(st.builds(Window, st.integers(1, 6), st.sampled_from([0.1, 1.0, 2.5, 10.0])), min_size=1, max_size=3)


def times_of(steps: list[float]) -> list[float]:
    times, at = [], 1000.0
    for step in steps:
        at += step
        times.append(at)
    return times


@settings(max_examples=50)
@given(steps=gaps, held=windows, time_scale=st.sampled_from([1.0, 4.0, 60.0]))
def test_judge_calls_a_violation_whatever_follows_too_soon_on_the_nth_before(
    steps: list[float], held: list[Window], time_scale: float
) -> None:
    judge, times = Judge(held, time_scale=time_scale), times_of(steps)
    for i, at in enumerate(times):
        expected = any(
            i >= window.limit and at - times[i - window.limit] < window.period_seconds / time_scale - TOLERANCE_SECONDS
            for window in held
        )
        assert judge.arrive(at, DAY).is_violation == expected


@settings(max_examples=50)
@given(steps=gaps, window=st.builds(Window, st.integers(1, 6), st.sampled_from([0.1, 1.0, 2.5])))
def test_judge_counts_every_arrival_in_the_window_refused_ones_included(steps: list[float], window: Window) -> None:
    judge, times = Judge([window]), times_of(steps)
    for i, at in enumerate(times):
        start = at - (window.period_seconds - TOLERANCE_SECONDS)
        assert judge.arrive(at, DAY).in_window == sum(1 for earlier in times[: i + 1] if earlier > start)


@settings(max_examples=50)
@given(steps=gaps, held=windows)
def test_judge_accepts_whoever_waits_as_long_as_it_says(steps: list[float], held: list[Window]) -> None:
    judge, at, wait = Judge(held), 1000.0, 0.0
    for step in steps:
        at += max(step, wait)
        verdict = judge.arrive(at, DAY)
        assert not verdict.is_violation
        wait = verdict.retry_after_seconds


def test_judge_reports_the_window_that_is_fullest_for_its_limit() -> None:
    judge = Judge([Window(100, 10.0), Window(2, 1.0)])
    verdicts = [judge.arrive(1000.0 + second, DAY) for second in (0, 5, 5.1, 5.2)]
    assert [verdict.in_window for verdict in verdicts] == [1, 1, 2, 3]
    assert [verdict.window_exceeded for verdict in verdicts] == [False, False, False, True]


def test_judge_forgives_half_a_millisecond_and_no_more() -> None:
    judge = Judge([Window(1, 1.0)])
    assert [judge.arrive(at, DAY).is_violation for at in (10.0, 10.9996, 11.9990)] == [False, False, True]


def test_quota_counts_a_day_and_begins_anew_with_the_next() -> None:
    judge = Judge([DailyQuota(2)], time_scale=60)
    today = [judge.arrive(1000.0 + i, DAY).quota_exceeded for i in range(3)]
    assert today == [False, False, True]
    assert not judge.arrive(1004.0, date(2013, 3, 2)).quota_exceeded


def test_judge_without_limits_finds_nothing() -> None:
    verdict = Judge([]).arrive(1.0, DAY)
    assert (verdict.in_window, verdict.is_violation, verdict.retry_after_seconds) == (0, False, 0.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain/a=10/1s", ("plain/a", (Window(10, 1.0),))),
        ("alpha_vantage=5/m,25/day", ("alpha_vantage", (Window(5, 60.0), DailyQuota(25)))),
        ("finra_short_volume=1/250ms", ("finra_short_volume", (Window(1, 0.25),))),
        ("plain/a=2/1.5h", ("plain/a", (Window(2, 5400.0),))),
    ],
)
def test_parse_limit_reads(text: str, expected: object) -> None:
    assert parse_limit(text) == expected


@pytest.mark.parametrize("text", ["", "a", "a=", "=1/1s", "a=0/1s", "a=1/0s", "a=-1/1s", "a=1/1d", "a=1/1s,", "a=1"])
def test_parse_limit_names_the_text_it_cannot_read(text: str) -> None:
    with pytest.raises(SandboxError, match="expected SOURCE=COUNT/PERIOD") as raised:
        parse_limit(text)
    assert repr(text) in str(raised.value)
