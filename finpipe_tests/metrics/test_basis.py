from __future__ import annotations

import math

import polars as pl
import pytest

from finpipe.metrics.basis import adjusted_price, own_basis


@pytest.mark.parametrize(
    ("price", "factor", "expected"),
    [
        pytest.param(50.0, 2.0, 100.0, id="after a split of 2 for 1"),
        pytest.param(None, 2.0, None, id="no price"),
        pytest.param(50.0, None, None, id="no factor"),
        pytest.param(0.0, 1.0, None, id="zero"),
        pytest.param(-37.63, 1.0, None, id="negative"),
        pytest.param(math.nan, 1.0, None, id="not a number"),
        pytest.param(math.inf, 1.0, None, id="infinite"),
        pytest.param(1e308, 10.0, None, id="overflow"),
    ],
)
def test_adjusted_price_is_a_price_or_null(price: float | None, factor: float | None, expected: float | None) -> None:
    bar = pl.DataFrame({"close": [price], "factor": [factor]}, schema={"close": pl.Float64, "factor": pl.Float64})
    assert bar.select(adjusted_price(pl.col("close"), pl.col("factor"))).item() == expected


def test_own_basis_undoes_the_adjustment() -> None:
    bars = pl.DataFrame({"close": [90.0, 45.0, 15.0], "factor": [1.0, 2.0, 6.0]})
    adjusted = adjusted_price(pl.col("close"), pl.col("factor"))
    assert bars.select(own_basis(adjusted, pl.col("factor"))).equals(bars.select("close"))
