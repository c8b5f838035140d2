from __future__ import annotations

from collections.abc import Callable
from datetime import date

import polars as pl
import pytest

from finpipe.reports import REPORTS, market_summary

Frames = Callable[..., pl.DataFrame]


def test_summary_of_a_session_counts_and_takes_the_middle(make_bars: Frames, make_metrics: Frames) -> None:
    instruments: dict[str, dict[str, float | None]] = {
        "a": {"return_1d": 0.03, "sma_200": 9.0, "volatility_21": 0.2, "short_volume_ratio": 0.4},
        "b": {"return_1d": -0.01, "sma_200": 10.0, "volatility_21": 0.3, "short_volume_ratio": None},
        "c": {"return_1d": 0.0, "sma_200": 11.0, "volatility_21": None, "short_volume_ratio": 0.6},
        "d": {"return_1d": 0.02, "sma_200": None, "volatility_21": 0.1, "short_volume_ratio": None},
        "e": {"return_1d": None, "sma_200": None, "volatility_21": None, "short_volume_ratio": None},
    }
    metrics = pl.concat(
        [
            make_metrics([10.0], name, **{key: [value] for key, value in row.items()})
            for name, row in instruments.items()
        ]
    )
    bars = pl.concat([make_bars([10.0], name) for name in instruments])
    found = market_summary(metrics, bars)
    assert found.to_dicts() == [
        {
            "session": date(2013, 1, 1),
            "instruments": 5,
            "advancers": 2,
            "decliners": 1,
            "unchanged": 1,
            "median_return": pytest.approx(0.01),
            "mean_return": pytest.approx(0.01),
            "new_highs_52w": 0,
            "new_lows_52w": 0,
            "share_above_sma_200": pytest.approx(1 / 3),
            "median_volatility_21": pytest.approx(0.2),
            "median_short_volume_ratio": pytest.approx(0.5),
            "turnover": 5000.0,
            "currency": "USD",
        }
    ]
    assert found.schema == REPORTS["market_summary"].schema
    assert market_summary(metrics.reverse(), bars.reverse()).equals(found)


def test_summary_counts_new_highs_and_lows(make_bars: Frames, make_metrics: Frames) -> None:
    series = {"a": [10.0] * 251 + [11.0], "b": [10.0] * 251 + [12.0], "c": [10.0] * 251 + [9.0], "d": [10.0] * 252}
    metrics = pl.concat([make_metrics(closes, name) for name, closes in series.items()])
    bars = pl.concat([make_bars(closes, name) for name, closes in series.items()])
    counts = market_summary(metrics, bars).select("new_highs_52w", "new_lows_52w").rows()
    assert counts[-1] == (2, 1)
    assert set(counts[:-1]) == {(0, 0)}


def test_turnover_leaves_out_bars_without_volume(make_bars: Frames, make_metrics: Frames) -> None:
    bars = pl.concat([make_bars([10.0], "a"), make_bars([10.0], "b", volume=[None])])
    assert market_summary(make_metrics([10.0], "a"), bars)["turnover"].to_list() == [1000.0]


def test_turnover_is_unknown_where_no_volume_is(make_bars: Frames, make_metrics: Frames) -> None:
    found = market_summary(make_metrics([10.0]), make_bars([10.0], volume=[None]))
    assert found["turnover"].to_list() == [None]


def test_turnover_of_two_currencies_is_no_sum(make_bars: Frames, make_metrics: Frames) -> None:
    bars = pl.concat([make_bars([10.0], "a"), make_bars([10.0], "b", currency=["EUR"])])
    found = market_summary(make_metrics([10.0], "a"), bars)
    assert found.select("turnover", "currency").rows() == [(None, None)]


def test_summary_of_nothing_is_an_empty_report(make_bars: Frames, make_metrics: Frames) -> None:
    found = market_summary(make_metrics([]), make_bars([]))
    assert found.is_empty()
    assert found.schema == REPORTS["market_summary"].schema
