from __future__ import annotations

from datetime import time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finpipe.sources.grammar import Available, Choice, Comparison, duration, timezone


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250ms", timedelta(milliseconds=250)),
        ("1s", timedelta(seconds=1)),
        ("1.5h", timedelta(minutes=90)),
        ("2d", timedelta(days=2)),
    ],
)
def test_duration_reads_a_number_and_a_unit(text: str, expected: timedelta) -> None:
    assert duration(text) == expected
    assert duration(expected) == expected


@pytest.mark.parametrize("text", ["", "1", "s", "0s", "-1s", "1 s", "1x", "1e3s", None, 5])
def test_duration_refuses_what_has_no_unit_or_is_not_above_zero(text: object) -> None:
    with pytest.raises(ValueError, match="250ms, 1s, 5m, 2h, 1d"):
        duration(text)


def test_available_reads_lag_and_time() -> None:
    assert Available.parse("T+1 09:30") == Available(1, time(9, 30))


@pytest.mark.parametrize("text", ["18:00", "T+0 24:00", "T+0 18:60", "T 18:00", "T+0 6:00", "t+0 18:00", None])
def test_available_refuses_other_forms(text: object) -> None:
    with pytest.raises(ValueError, match=r"T\+0 18:00"):
        Available.parse(text)


@pytest.mark.parametrize("text", ["Mars/Olympus", "", "../../etc/passwd", None])
def test_timezone_refuses_what_is_none(text: object) -> None:
    with pytest.raises(ValueError, match="IANA"):
        timezone(text)


@given(st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_comparison_agrees_with_the_operators(left: int, right: int) -> None:
    for symbol, expected in {"<": left < right, "<=": left <= right, "==": left == right, "!=": left != right}.items():
        assert Comparison.parse(f"x {symbol} {right}").holds(left) is expected


def test_comparison_reads_words() -> None:
    assert Comparison.parse("kind == 'split'").holds("split")


@pytest.mark.parametrize("text", ["x", "x > ", "x > y", "x => 1", "x > 1 and y > 2", "__import__('os') > 1", None])
def test_comparison_refuses_everything_else(text: object) -> None:
    with pytest.raises(ValueError, match="not a condition"):
        Comparison.parse(text)


def test_choice_holds_by_the_sessions_missing() -> None:
    compact = Choice.parse("missing <= 100 sessions")
    assert [compact.holds(99), compact.holds(100), compact.holds(101)] == [True, True, False]
    assert Choice.parse("otherwise").holds(10**6)


@pytest.mark.parametrize("text", ["missing <= 100", "else", "lacking <= 1 sessions", None])
def test_choice_refuses_other_forms(text: object) -> None:
    with pytest.raises(ValueError, match="otherwise"):
        Choice.parse(text)
