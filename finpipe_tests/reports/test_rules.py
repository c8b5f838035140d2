from __future__ import annotations

from collections.abc import Callable
from datetime import date
from math import exp

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finpipe.reports import rules
from finpipe.reports.rules import new_highs, new_lows, sma_crosses, suspected_splits

Frames = Callable[..., pl.DataFrame]
Day = Callable[[int], date]


def numbers(found: pl.DataFrame, day: Day) -> list[int]:
    return [(session - day(0)).days for session in found["session"]]


_prices = st.lists(st.integers(1, 6).map(float), max_size=14)
_factor = st.sampled_from([1.0, 2.0, 4.0, None])  # powers of two: the twin's arithmetic is exact


@given(_prices, st.lists(_factor, min_size=14, max_size=14), st.data())
def test_52_week_extremes_equal_their_definition(
    make_bars: Frames, day: Day, closes: list[float], factors: list[float | None], data: st.DataObject
) -> None:
    factors = factors[: len(closes)]
    highs = [c + data.draw(st.integers(0, 2)) for c in closes]
    lows = [c / data.draw(st.sampled_from([1, 2])) for c in closes]
    bars = make_bars(closes, high=highs, low=lows, factor=factors)
    window = 4
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "SESSIONS_52W", window)
        found_highs, found_lows = new_highs(bars), new_lows(bars)
    expected_highs, expected_lows = [], []
    for n in range(window - 1, len(closes)):
        known = [f for f in factors[n - window + 1 : n + 1] if f is not None]
        if len(known) < window:
            continue
        before = range(n - window + 1, n)
        now = closes[n] * known[-1]
        highest, lowest = (max(highs[i] * f for i, f in zip(before, known, strict=False)),
                           min(lows[i] * f for i, f in zip(before, known, strict=False)))  # fmt: skip
        expected_highs += [(n, highest / known[-1])] if now > highest else []
        expected_lows += [(n, lowest / known[-1])] if now < lowest else []
    assert list(zip(numbers(found_highs, day), found_highs["threshold"], strict=True)) == expected_highs
    assert list(zip(numbers(found_lows, day), found_lows["threshold"], strict=True)) == expected_lows


def test_equal_price_is_no_new_high_whatever_the_factor(make_bars: Frames) -> None:
    bars = make_bars([10.1] * 252, factor=[1.0187] * 252)
    assert new_highs(bars).is_empty()
    assert new_lows(bars).is_empty()


@pytest.mark.parametrize(
    ("fast", "crosses"),
    [
        pytest.param([9.0, 11.0], [(1, True)], id="up"),
        pytest.param([11.0, 9.0], [(1, False)], id="down"),
        pytest.param([9.0, 10.0, 11.0], [(2, True)], id="up over a touch"),
        pytest.param([11.0, 10.0, 11.0], [], id="touched and turned back"),
        pytest.param([9.0, 10.0], [], id="touched only"),
        pytest.param([10.0, 11.0], [], id="came from nowhere"),
        pytest.param([9.0, 10.0 + 1e-12], [], id="rounding is a touch"),
        pytest.param([None, 11.0], [], id="first value"),
        pytest.param([9.0, None, 11.0], [], id="gap is not crossed"),
        pytest.param([9.0, None, 10.0, 11.0], [], id="touch after a gap"),
        pytest.param([9.0, 9.5, 9.9], [], id="stays below"),
        pytest.param([9.0, 11.0, 9.0], [(1, True), (2, False)], id="there and back"),
    ],
)
def test_sma_cross(make_metrics: Frames, day: Day, fast: list[float | None], crosses: list[tuple[int, bool]]) -> None:
    slow = [10.0] * len(fast)
    found = sma_crosses(make_metrics(slow, sma_50=fast, sma_200=slow))
    assert list(zip(numbers(found, day), found["is_up"], strict=True)) == crosses


@given(st.lists(st.sampled_from([None, 9.0, 10.0, 11.0]), max_size=12))
def test_sma_crosses_equal_their_definition(make_metrics: Frames, day: Day, fast: list[float | None]) -> None:
    slow = [10.0] * len(fast)
    found = sma_crosses(make_metrics(slow, sma_50=fast, sma_200=slow))
    expected, side = [], None
    for n, value in enumerate(fast):
        if value is None:
            side = None
        elif value != 10.0:
            if side is not None and side != (value > 10.0):
                expected.append((n, value > 10.0))
            side = value > 10.0
    assert list(zip(numbers(found, day), found["is_up"], strict=True)) == expected


@pytest.mark.parametrize(
    ("opened", "closed", "expected"),
    [
        pytest.param(50.0, 50.0, ["2:1"], id="2 for 1"),
        pytest.param(67.0, 66.0, ["3:2"], id="3 for 2"),
        pytest.param(14.3, 14.3, ["7:1"], id="7 for 1"),
        pytest.param(1000.0, 1010.0, ["1:10"], id="reverse"),
        pytest.param(50.0 * exp(0.049), 50.0 * exp(-0.049), ["2:1"], id="within 5 %"),
        pytest.param(50.0, 50.0 * exp(0.051), [], id="close beyond 5 %"),
        pytest.param(50.0 * exp(-0.051), 50.0, [], id="open beyond 5 %"),
        pytest.param(99.0, 50.0, [], id="fell during the session"),
        pytest.param(100.0, 100.0, [], id="calm"),
        pytest.param(150.0, 150.0, [], id="rose by half: news more often than a 2:3 reverse split"),
    ],
)
def test_jump_is_suspected_when_open_and_close_moved_like_a_split(
    make_bars: Frames, opened: float, closed: float, expected: list[str]
) -> None:
    bars = make_bars([100.0, closed], open=[100.0, opened])
    assert suspected_splits(bars)["split"].to_list() == expected


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        pytest.param(800.0, ["2:1"], id="4 times the usual money"),
        pytest.param(801.0, [], id="more: news"),
        pytest.param(None, ["2:1"], id="volume not known"),
    ],
)
def test_jump_with_much_money_behind_it_is_news(make_bars: Frames, volume: float | None, expected: list[str]) -> None:
    bars = make_bars([100.0] * 20 + [50.0], volume=[100.0] * 20 + [volume])
    assert suspected_splits(bars)["split"].to_list() == expected


def test_recorded_split_is_not_suspected(make_bars: Frames) -> None:
    factor = [1.0, 2.0]
    assert suspected_splits(make_bars([100.0, 50.0], factor=factor, split_factor=factor)).is_empty()
    # Not even one recorded upside down, which moves the adjusted price: a split does stand there.
    assert suspected_splits(make_bars([100.0, 50.0], factor=[1.0, 0.5], split_factor=[1.0, 0.5])).is_empty()


def test_dividend_on_the_session_is_taken_off_the_jump(make_bars: Frames) -> None:
    # 100, less a dividend of 4, split 2:1 with no record of the split.
    found = suspected_splits(make_bars([100.0, 48.0], factor=[1.0, 1 / 0.96]))
    assert found["value"].to_list() == pytest.approx([0.5])
    # A dividend of half the price explains the whole move.
    assert suspected_splits(make_bars([100.0, 50.0], factor=[1.0, 2.0])).is_empty()


# Discovery Communications, 2014-08-06 and -07: series C shares were given out, one for each share
# (prices of the S&P 500 set of Kaggle, CC0, which is not adjusted for it).
def test_share_dividend_of_discovery_is_suspected(make_bars: Frames) -> None:
    bars = make_bars([83.02, 40.975], "disca", open=[83.5, 43.25])
    assert suspected_splits(bars).select("symbol", "split").rows() == [("DISCA", "2:1")]
