from __future__ import annotations

from collections.abc import Callable
from datetime import date

import polars as pl
import pytest

from finpipe.reports import REPORTS, insights

Frames = Callable[..., pl.DataFrame]
Day = Callable[[int], date]

CALM = [10.0 + 0.01 * (i % 5) for i in range(251)]  # 10.00 to 10.04


def kinds(found: pl.DataFrame) -> list[str]:
    return found["kind"].to_list()


@pytest.mark.parametrize(
    ("close", "expected"),
    [
        pytest.param(10.05, ["new_high_52w"], id="above the high"),
        pytest.param(10.04, [], id="on the high"),
        pytest.param(10.02, [], id="between"),
        pytest.param(10.00, [], id="on the low"),
        pytest.param(9.99, ["new_low_52w"], id="below the low"),
    ],
)
def test_close_beyond_251_sessions_is_an_insight(
    make_bars: Frames, make_metrics: Frames, close: float, expected: list[str]
) -> None:
    closes = [*CALM, close]
    assert kinds(insights(make_metrics(closes), make_bars(closes))) == expected


def test_new_high_says_what_it_rests_on(make_bars: Frames, make_metrics: Frames, day: Day) -> None:
    closes = [12.0, *CALM, 10.5]
    bars = make_bars(closes, receipt=["r0"] + ["r2"] * 150 + ["r1"] * 101 + ["r3"])
    assert insights(make_metrics(closes), bars).to_dicts() == [
        {
            "session": day(252),
            "kind": "new_high_52w",
            "instrument_id": "i",
            "symbol": "I",
            "value": 10.5,
            "threshold": 10.04,
            "unit": "USD",
            "sentence": "I closed at 10.5, above 10.04, the highest of the 251 sessions before",
            "receipts": ["r1", "r2", "r3"],
        }
    ]


def test_new_high_needs_251_sessions_before(make_bars: Frames, make_metrics: Frames) -> None:
    closes = [*CALM[1:], 99.0]
    assert insights(make_metrics(closes), make_bars(closes)).is_empty()


def test_split_makes_no_new_low_and_the_threshold_is_in_todays_shares(make_bars: Frames, make_metrics: Frames) -> None:
    closes = [*CALM, 5.03]
    factor = [1.0] * 251 + [2.0]
    bars = make_bars(closes, factor=factor, split_factor=factor)
    found = insights(make_metrics(closes), bars)
    assert found.select("kind", "value", "threshold").rows() == [("new_high_52w", 5.03, 5.02)]


def test_unknown_factor_says_nothing(make_bars: Frames, make_metrics: Frames) -> None:
    closes = [*CALM, 99.0]
    bars = make_bars(closes, factor=[1.0] * 251 + [None])
    assert insights(make_metrics(closes), bars).is_empty()


def test_cross_is_an_insight_with_both_averages(make_bars: Frames, make_metrics: Frames, day: Day) -> None:
    closes = [10.0, 10.0, 10.0]
    metrics = make_metrics(closes, sma_50=[9.0, 10.5, 9.5], sma_200=[10.0, 10.0, 10.0])
    found = insights(metrics, make_bars(closes))
    assert found.select("session", "kind", "value", "threshold", "unit", "sentence").rows() == [
        (day(1), "sma_cross_up", 10.5, 10.0, "USD", "I: SMA 50 of 10.5 rose above SMA 200 of 10.0"),
        (day(2), "sma_cross_down", 9.5, 10.0, "USD", "I: SMA 50 of 9.5 fell below SMA 200 of 10.0"),
    ]


def test_jump_is_an_insight_in_ratios(make_bars: Frames, make_metrics: Frames, day: Day) -> None:
    bars = make_bars([100.0, 50.5], receipt=["r1", "r2"])
    assert insights(make_metrics([100.0, 50.5]), bars).rows() == [
        (
            day(1),
            "unadjusted_jump_suspected",
            "i",
            "I",
            0.505,
            0.5,
            "ratio",
            "I closed at 0.505 of its previous close; a split of 2:1 would explain it and none is recorded",
            ["r1", "r2"],
        )
    ]


def test_instruments_do_not_run_into_each_other(make_bars: Frames, make_metrics: Frames) -> None:
    low, high = [10.0] * 251, [99.0] * 2
    bars = pl.concat([make_bars(low, "a"), make_bars(high, "b")])
    metrics = pl.concat([make_metrics(low, "a"), make_metrics(high, "b")])
    assert insights(metrics, bars).is_empty()


def test_insights_of_one_session_stand_by_kind_and_symbol_for_rows_in_any_order(
    make_bars: Frames, make_metrics: Frames
) -> None:
    closes = {"c": [*CALM, 99.0], "a": [*CALM, 1.0], "b": [*CALM, 12.0]}
    bars = pl.concat([make_bars(series, name) for name, series in closes.items()])
    metrics = pl.concat([make_metrics(series, name) for name, series in closes.items()])
    found = insights(metrics, bars)
    assert found.select("kind", "symbol").rows() == [
        ("new_high_52w", "B"), ("new_high_52w", "C"), ("new_low_52w", "A"), ("unadjusted_jump_suspected", "A"),
    ]  # fmt: skip
    shuffled = insights(metrics.sample(fraction=1, shuffle=True, seed=1), bars.reverse())
    assert shuffled.equals(found)


def test_insights_of_nothing_are_an_empty_report(make_bars: Frames, make_metrics: Frames) -> None:
    found = insights(make_metrics([]), make_bars([]))
    assert found.is_empty()
    assert found.schema == REPORTS["insights"].schema
