from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finpipe.metrics.volatility import realised_volatility

Values = list[float | None]
# Hull, Options, Futures, and Other Derivatives, table 15.1: 21 closes, deviation 0.01216 a day, 19.3 % a year.
HULL = [
    20.00, 20.10, 19.90, 20.00, 20.50, 20.25, 20.90, 20.90, 20.90, 20.75, 20.75, 21.00, 21.10, 20.90,
    20.90, 21.25, 21.40, 21.40, 21.25, 21.75, 22.00,
]  # fmt: skip


def volatility(closes: Values, window: int, sessions_per_year: int = 252) -> Values:
    frame = pl.DataFrame({"close": pl.Series(closes, dtype=pl.Float64)})
    expression = realised_volatility(pl.col("close"), window=window, sessions_per_year=sessions_per_year)
    return frame.select(expression)["close"].to_list()


def test_volatility_equals_hulls_example() -> None:
    yearly = volatility(list(HULL), 20)
    daily = volatility(list(HULL), 20, sessions_per_year=1)
    assert yearly[:20] == [None] * 20
    assert yearly[20] == pytest.approx(0.193, abs=0.0005)
    assert daily[20] == pytest.approx(0.01216, abs=0.000005)


def brute_force(closes: Values, window: int) -> Values:
    pairs = list(zip([None, *closes], closes, strict=False))
    returns = [math.log(now / before) if now and before else None for before, now in pairs]
    values: Values = []
    for end in range(1, len(closes) + 1):
        sample = [Fraction(value) for value in returns[max(0, end - window) : end] if value is not None]
        deviation = math.sqrt(statistics.variance(sample)) if len(sample) == window else None
        values.append(None if deviation is None else deviation * math.sqrt(252))
    return values


@given(st.lists(st.floats(1e-2, 1e9) | st.none(), max_size=40), st.integers(2, 5))
def test_volatility_equals_brute_force(assert_agree: Callable[..., None], closes: Values, window: int) -> None:
    # The floor is for samples of equal returns, whose deviation is 0 up to the rounding of logarithms.
    assert_agree(volatility(closes, window), brute_force(closes, window), absolute=1e-9)


def test_volatility_of_a_constant_price_is_exactly_zero() -> None:
    assert volatility([10.1] * 30, 21) == [None] * 21 + [0.0] * 9


@pytest.mark.parametrize("length", [0, 1, 20, 21, 22, 43])
def test_volatility_begins_when_its_sample_is_full(length: int) -> None:
    values = volatility([10 + math.sin(n) for n in range(length)], 21)
    assert [value is None for value in values] == [n < 21 for n in range(length)]


def test_volatility_keeps_its_digits_after_a_fall_from_a_billion_to_ten(assert_agree: Callable[..., None]) -> None:
    closes: Values = [1e9 * (1 + 0.01 * math.sin(n)) for n in range(60)]
    closes += [10 * (1 + 1e-5 * math.sin(n)) for n in range(60)]
    assert_agree(volatility(closes, 21), brute_force(closes, 21))
