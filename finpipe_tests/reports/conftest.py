from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import polars as pl
import pytest

Frames = Callable[..., pl.DataFrame]

FIRST_SESSION = date(2013, 1, 1)
METRICS = ("return_1d", "sma_50", "sma_200", "volatility_21", "short_volume_ratio")


@pytest.fixture(scope="session")
def make_bars() -> Frames:
    """Bars of one instrument on consecutive days; a column not given is flat on the close, or has no action."""

    def bars(closes: Sequence[float], instrument: str = "i", **columns: Sequence[object]) -> pl.DataFrame:
        n = len(closes)
        given: dict[str, Sequence[object]] = {
            **dict.fromkeys(("open", "high", "low", "close"), closes),
            "instrument_id": [instrument] * n,
            "symbol": [instrument.upper()] * n,
            "session": [FIRST_SESSION + timedelta(days=i) for i in range(n)],
            "volume": [100.0] * n,
            "currency": ["USD"] * n,
            "receipt": ["r"] * n,
            "factor": [1.0] * n,
            "split_factor": [1.0] * n,
            **columns,
        }
        text = dict.fromkeys(("instrument_id", "symbol", "currency", "receipt"), pl.String)
        schema = {name: text.get(name, pl.Date if name == "session" else pl.Float64) for name in given}
        return pl.DataFrame(given, schema=schema)

    return bars


@pytest.fixture(scope="session")
def make_metrics(make_bars: Frames) -> Frames:
    """Metrics of the bars that `make_bars` makes; a metric not given is null."""

    def metrics(closes: Sequence[float], instrument: str = "i", **columns: Sequence[float | None]) -> pl.DataFrame:
        keys = make_bars(closes, instrument).select("instrument_id", "symbol", "session", "close")
        values = {name: columns.get(name, [None] * len(closes)) for name in METRICS}
        return keys.with_columns(pl.Series(name, value, dtype=pl.Float64) for name, value in values.items())

    return metrics


@pytest.fixture(scope="session")
def day() -> Callable[[int], date]:
    """The date of the n-th bar, from 0."""
    return lambda n: FIRST_SESSION + timedelta(days=n)
