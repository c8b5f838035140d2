from __future__ import annotations

import csv
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finpipe.metrics.extremes import distance, highest_high, lowest_low

VECTORS = Path(__file__).parents[3] / "shared" / "data" / "vectors"
Prices = list[float | None]


def published() -> list[pytest.ParameterSet]:
    """Window, highs, lows; expected highest, expected lowest."""
    prices = [5.0, 4.0, 6.0, 6.0, 2.0, 1.0]
    by_hand = ([None, None, 6.0, 6.0, 6.0, 6.0], [None, None, 4.0, 4.0, 2.0, 1.0])
    cases = [pytest.param(3, prices, prices, *by_hand, id="worked by hand")]
    if VECTORS.exists():
        tulip = json.loads((VECTORS / "tulip/extra.json").read_text())
        rows = {(case["indicator"], case["options"][0]): case["rows"] for case in tulip if case["options"]}
        (prices, highest), (_, lowest) = rows["max", 3.0], rows["min", 3.0]
        cases.append(pytest.param(3, prices, prices, [None] * 2 + highest, [None] * 2 + lowest, id="tulip"))
        # Skender's Donchian channel is that of the 20 sessions before its row.
        channel = json.loads((VECTORS / "skender/donchian.standard.json").read_text())[1:]
        quotes = list(csv.DictReader((VECTORS / "skender/quotes_default.csv").read_text().splitlines()))[:-1]
        given = [[float(row[column]) for row in quotes] for column in ("high", "low")]
        bands = [[row[band] for row in channel] for band in ("upperBand", "lowerBand")]
        cases.append(pytest.param(20, *given, *bands, id="skender"))
    return cases


def extremes(highs: Prices, lows: Prices, window: int) -> tuple[Prices, Prices]:
    frame = pl.DataFrame({"high": pl.Series(highs, dtype=pl.Float64), "low": pl.Series(lows, dtype=pl.Float64)})
    answer = frame.select(highest_high(pl.col("high"), window=window), lowest_low(pl.col("low"), window=window))
    return answer["high"].to_list(), answer["low"].to_list()


@pytest.mark.parametrize(("window", "highs", "lows", "highest", "lowest"), published())
def test_extremes_equal_published_values(
    window: int, highs: Prices, lows: Prices, highest: Prices, lowest: Prices
) -> None:
    assert extremes(highs, lows, window) == (highest, lowest)


@given(st.lists(st.floats(1e-4, 1e9) | st.none(), max_size=60), st.integers(1, 6))
def test_extremes_equal_brute_force(prices: Prices, window: int) -> None:
    windows = [prices[max(0, end - window) : end] for end in range(1, len(prices) + 1)]
    full = [[price for price in part if price is not None] for part in windows]
    highs = [max(part) if len(part) == window else None for part in full]
    lows = [min(part) if len(part) == window else None for part in full]
    assert extremes(prices, prices, window) == (highs, lows)


@pytest.mark.parametrize("length", [0, 1, 250, 251, 252, 253, 503, 504, 505])
def test_extremes_begin_when_their_window_is_full(length: int) -> None:
    highs, lows = extremes([float(n) for n in range(length)], [float(n) for n in range(length)], 252)
    assert highs == [None if n < 251 else n for n in range(length)]
    assert lows == [None if n < 251 else n - 251 for n in range(length)]


def test_distance_is_exactly_zero_on_the_level() -> None:
    frame = pl.DataFrame({"close": [0.1 * 3, 9.0, None], "level": [0.1 * 3, 12.0, 12.0]})
    assert frame.select(distance(pl.col("close"), pl.col("level")))["close"].to_list() == [0.0, -0.25, None]
