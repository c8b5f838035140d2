from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finpipe.metrics.momentum import relative_strength_index

Values = list[float | None]
VECTORS = Path(__file__).parents[3] / "shared" / "data" / "vectors"
# https://chartschool.stockcharts.com, Relative Strength Index (RSI), the calculation sheet (QQQQ, 2009-12-14 on)
CHARTSCHOOL_CLOSES = [
    44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931,
    46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439, 46.2122, 46.2521,
    45.7137, 46.4515, 45.7835, 45.3548, 44.0288, 44.1783, 44.2181, 44.5672, 43.4205, 42.6628, 43.1314,
]  # fmt: skip
CHARTSCHOOL_RSI = [
    70.53, 66.32, 66.55, 69.41, 66.36, 57.97, 62.93, 63.26, 56.06, 62.38, 54.71, 50.42, 39.99, 41.46,
    41.87, 45.46, 37.30, 33.08, 37.77,
]  # fmt: skip


def published() -> list[pytest.ParameterSet]:
    cases = [pytest.param(14, CHARTSCHOOL_CLOSES, [None] * 14 + CHARTSCHOOL_RSI, 0.006, id="chartschool")]
    if VECTORS.exists():
        quotes = list(csv.DictReader((VECTORS / "skender/quotes_default.csv").read_text().splitlines()))
        expected = [row["rsi"] for row in json.loads((VECTORS / "skender/rsi.standard.json").read_text())]
        cases.append(pytest.param(14, [float(row["close"]) for row in quotes], expected, 1e-9, id="skender"))
        tulip = json.loads((VECTORS / "tulip/atoz.json").read_text())
        closes, values = next(case["rows"] for case in tulip if case["indicator"] == "rsi")
        cases.append(pytest.param(5, closes, [None] * 5 + values, 5e-4, id="tulip"))  # three decimals
    return cases


def rsi(closes: Values, window: int) -> Values:
    frame = pl.DataFrame({"close": pl.Series(closes, dtype=pl.Float64)})
    return frame.select(relative_strength_index(pl.col("close"), window=window))["close"].to_list()


@pytest.mark.parametrize(("window", "closes", "expected", "tolerance"), published())
def test_rsi_equals_published_values(
    assert_agree: Callable[..., None],
    window: int,
    closes: Values,
    expected: Values,
    tolerance: float,
) -> None:
    assert_agree(rsi(closes, window), expected, absolute=tolerance)


def brute_force(closes: Values, window: int) -> Values:
    """Wilder's own steps, up to the first null."""
    unbroken = closes[: closes.index(None)] if None in closes else closes
    changes = [now - before for before, now in pairwise(unbroken) if before and now]
    values: Values = [None] * len(closes)
    gain = math.fsum(max(change, 0) for change in changes[:window]) / window
    loss = math.fsum(max(-change, 0) for change in changes[:window]) / window
    for row in range(window, len(changes) + 1):
        if row > window:
            gain = (gain * (window - 1) + max(changes[row - 1], 0)) / window
            loss = (loss * (window - 1) + max(-changes[row - 1], 0)) / window
        values[row] = None if gain + loss == 0 else 100 * gain / (gain + loss)
    return values


@given(st.lists(st.floats(1e-2, 1e9) | st.just(50.0), max_size=60), st.integers(2, 6))
def test_rsi_equals_brute_force(assert_agree: Callable[..., None], closes: Values, window: int) -> None:
    assert_agree(rsi(closes, window), brute_force(closes, window))


@given(st.lists(st.floats(1e-2, 1e9) | st.none(), max_size=60), st.integers(2, 6))
def test_rsi_is_null_from_the_first_gap_on(assert_agree: Callable[..., None], closes: Values, window: int) -> None:
    assert_agree(rsi(closes, window), brute_force(closes, window))


def test_rsi_never_passes_100_however_its_means_round() -> None:
    # A window of 1 has no memory to smooth with, and shows the rounding at its largest.
    assert rsi([16777218.0, 0.010000000000000002, 1.0], 1)[-1] == 100.0


@given(st.lists(st.floats(1e-2, 1e9), max_size=60))
def test_rsi_is_the_share_of_gains_so_the_mirrored_series_has_the_rest(closes: list[float]) -> None:
    mirrored = rsi([-close for close in closes], 5)
    for value, rest in zip(rsi(list(closes), 5), mirrored, strict=True):
        assert (value is None) == (rest is None)
        assert value is None or rest is None or math.isclose(value + rest, 100, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("closes", "expected"),
    [
        pytest.param([1.0, 2.0, 3.0, 4.0, 4.0], [None, None, None, 100.0, 100.0], id="gains only"),
        pytest.param([4.0, 3.0, 2.0, 1.0, 1.0], [None, None, None, 0.0, 0.0], id="losses only"),
        pytest.param([4.0, 4.0, 4.0, 4.0, 5.0], [None, None, None, None, 100.0], id="no change yet"),
        pytest.param([4.0] * 6, [None] * 6, id="constant"),
    ],
)
def test_rsi_at_its_edges(closes: Values, expected: Values) -> None:
    assert rsi(closes, 3) == expected


@pytest.mark.parametrize("length", [0, 1, 13, 14, 15, 16, 29])
def test_rsi_begins_after_its_seed(length: int) -> None:
    values = rsi([10 + math.sin(n) for n in range(length)], 14)
    assert [value is None for value in values] == [n < 14 for n in range(length)]


def test_rsi_keeps_its_digits_after_a_fall_from_a_billion_to_ten(assert_agree: Callable[..., None]) -> None:
    closes: Values = [1e9 * (1 + 0.01 * math.sin(n)) for n in range(300)]
    closes += [10 + math.sin(n) for n in range(900)]
    assert_agree(rsi(closes, 14), brute_force(closes, 14))
