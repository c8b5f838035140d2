from __future__ import annotations

import polars as pl
import pytest

from finpipe.metrics.volume import short_volume_ratio


@pytest.mark.parametrize(
    ("short", "total", "expected"),
    [
        pytest.param(40.0, 100.0, 0.4, id="part"),
        pytest.param(0.0, 100.0, 0.0, id="none sold short"),
        pytest.param(0.25, 0.5, 0.5, id="fractions of shares"),
        pytest.param(0.0, 0.0, None, id="nothing traded"),
        pytest.param(None, 100.0, None, id="short volume unknown"),
        pytest.param(40.0, None, None, id="total unknown"),
        pytest.param(40.0, -100.0, None, id="impossible total"),
    ],
)
def test_short_volume_ratio_of_a_session(short: float | None, total: float | None, expected: float | None) -> None:
    schema = {"short": pl.Float64, "total": pl.Float64}
    frame = pl.DataFrame({"short": [short], "total": [total]}, schema=schema)
    assert frame.select(short_volume_ratio(pl.col("short"), pl.col("total"))).item() == expected
