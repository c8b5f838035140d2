from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finpipe.metrics.returns import log_return, simple_return

CLOSE = pl.col("close")
PRICES = st.floats(1e-4, 1e9)


def bars(closes: Sequence[float | None]) -> pl.DataFrame:
    return pl.DataFrame({"close": pl.Series(closes, dtype=pl.Float64)})


@pytest.mark.parametrize(
    ("closes", "simple", "log"),
    [
        pytest.param([100.0, 110.0], [None, 0.1], [None, 0.0953], id="rise"),
        pytest.param([100.0, 50.0], [None, -0.5], [None, -0.6931], id="fall"),
        pytest.param([100.0, 100.0], [None, 0.0], [None, 0.0], id="no change"),
        pytest.param([100.0, None, 121.0], [None, None, None], [None, None, None], id="gap is not bridged"),
        pytest.param([100.0, 0.0, 121.0], [None, None, None], [None, None, None], id="zero is no price"),
        pytest.param([100.0, -1.0, 121.0], [None, None, None], [None, None, None], id="nor is less"),
        pytest.param([100.0], [None], [None], id="single session"),
        pytest.param([], [], [], id="no session"),
    ],
)
def test_returns_of_one_instrument(
    closes: list[float | None], simple: list[float | None], log: list[float | None]
) -> None:
    frame = bars(closes).select(simple=simple_return(CLOSE).round(4), log=log_return(CLOSE).round(4))
    assert frame["simple"].to_list() == simple
    assert frame["log"].to_list() == log


@given(st.lists(PRICES, min_size=2, max_size=40))
def test_log_returns_sum_to_the_whole(closes: list[float]) -> None:
    total = bars(closes).select(log_return(CLOSE).sum()).item()
    assert math.isclose(total, math.log(closes[-1] / closes[0]), rel_tol=1e-9, abs_tol=1e-12)


@given(st.lists(PRICES | st.none(), max_size=40))
def test_returns_equal_brute_force(assert_agree: Callable[..., None], closes: list[float | None]) -> None:
    pairs = zip([None, *closes], closes, strict=False)
    growth = [now / before if now and before else None for before, now in pairs]
    frame = bars(closes).select(simple=simple_return(CLOSE), log=log_return(CLOSE))
    assert frame["simple"].to_list() == [None if g is None else g - 1 for g in growth]
    assert_agree(frame["log"].to_list(), [None if g is None else math.log(g) for g in growth], relative=1e-12)
