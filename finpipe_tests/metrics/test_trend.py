from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finpipe.metrics.trend import simple_moving_average

Values = list[float | None]
VECTORS = Path(__file__).parents[3] / "shared" / "data" / "vectors"


def published() -> list[pytest.ParameterSet]:
    # https://chartschool.stockcharts.com, Moving Averages - Simple and Exponential, the 5-day example
    closes = [11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0]
    cases = [pytest.param(5, closes, [None] * 4 + [13.0, 14.0, 15.0], 1e-12, id="chartschool")]
    if VECTORS.exists():
        quotes = list(csv.DictReader((VECTORS / "skender/quotes_default.csv").read_text().splitlines()))
        expected = [row["sma"] for row in json.loads((VECTORS / "skender/sma.standard.json").read_text())]
        cases.append(pytest.param(20, [float(row["close"]) for row in quotes], expected, 1e-9, id="skender"))
        tulip = json.loads((VECTORS / "tulip/untest.json").read_text())
        closes, means = next(case["rows"] for case in tulip if case["indicator"] == "sma")
        cases.append(pytest.param(5, closes, [None] * 4 + means, 5e-4, id="tulip"))  # three decimals
    return cases


def sma(closes: Values, window: int) -> Values:
    frame = pl.DataFrame({"close": pl.Series(closes, dtype=pl.Float64)})
    return frame.select(simple_moving_average(pl.col("close"), window=window))["close"].to_list()


@pytest.mark.parametrize(("window", "closes", "expected", "tolerance"), published())
def test_sma_equals_published_values(
    assert_agree: Callable[..., None],
    window: int,
    closes: Values,
    expected: Values,
    tolerance: float,
) -> None:
    assert_agree(sma(closes, window), expected, absolute=tolerance)


def brute_force(closes: Values, window: int) -> Values:
    means: Values = []
    for end in range(1, len(closes) + 1):
        values = [Fraction(value) for value in closes[max(0, end - window) : end] if value is not None]
        means.append(float(sum(values) / window) if len(values) == window else None)
    return means


@given(st.lists(st.floats(1e-4, 1e9) | st.none(), max_size=60), st.integers(1, 6))
def test_sma_equals_brute_force(assert_agree: Callable[..., None], closes: Values, window: int) -> None:
    assert_agree(sma(closes, window), brute_force(closes, window))


@pytest.mark.parametrize("length", [0, 1, 19, 20, 21, 40, 41])
def test_sma_begins_when_its_window_is_full(length: int) -> None:
    means = sma([float(n) for n in range(length)], 20)
    assert [mean is None for mean in means] == [n < 19 for n in range(length)]


def test_sma_keeps_its_digits_after_a_fall_from_a_billion_to_ten(assert_agree: Callable[..., None]) -> None:
    closes: Values = [1e9 + 0.1 * n for n in range(300)]
    closes += [10 + math.sin(n) for n in range(300)]
    assert_agree(sma(closes, 20), brute_force(closes, 20))
