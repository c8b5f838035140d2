from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest

import finpipe

SANDBOX_DATA = Path(finpipe.__file__).parent / "sandbox" / "data"


@pytest.fixture(scope="session")
def assert_agree() -> Callable[..., None]:
    """Nulls in the same places, and the values between them equal within a tolerance."""

    def check(
        actual: Sequence[float | None],
        expected: Sequence[float | None],
        *,
        relative: float = 1e-9,
        absolute: float = 0.0,
    ) -> None:
        assert [value is None for value in actual] == [value is None for value in expected]
        for row, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
            if ours is not None and theirs is not None:
                assert math.isclose(ours, theirs, rel_tol=relative, abs_tol=absolute), f"row {row}: {ours} != {theirs}"

    return check


@pytest.fixture(scope="session")
def real_bars() -> pl.DataFrame:
    """AAPL, FB, GOOG, IBM and MSFT 2000-2013 with the factors of their splits and dividends."""
    prices = pl.read_csv(SANDBOX_DATA / "stocks.csv.gz", try_parse_dates=True).select(
        instrument_id="Ticker",
        symbol="Ticker",
        session="Date",
        open="Open",
        high="High",
        low="Low",
        close="Close",
        volume=pl.col("Volume").cast(pl.Float64),
    )
    actions = (
        pl.read_csv(SANDBOX_DATA / "actions.csv", try_parse_dates=True)
        .group_by("symbol", "session")
        .agg(pl.col("ratio").product(), pl.col("amount").sum())
    )
    before = pl.col("close").shift(1)
    return (
        prices.join(actions, on=["symbol", "session"], how="left")
        .sort("symbol", "session")
        .with_columns(pl.col("ratio").fill_null(1.0), pl.col("amount").fill_null(0.0))
        .with_columns(
            factor=(pl.col("ratio") * (before / (before - pl.col("amount"))).fill_null(1.0)).cum_prod().over("symbol"),
            split_factor=pl.col("ratio").cum_prod().over("symbol"),
        )
        .drop("ratio", "amount")
    )
