"""Weekly and monthly bars and returns, built from daily bars."""

from __future__ import annotations

from typing import Literal

import polars as pl

from finpipe.metrics.basis import adjusted_price
from finpipe.metrics.inputs import BAR_COLUMNS, in_order
from finpipe.metrics.returns import log_return, simple_return

Period = Literal["week", "month"]

_LENGTHS: dict[Period, str] = {"week": "1w", "month": "1mo"}
_WHOLE = ("high", "low", "volume")  # a null among the sessions makes the period's null
_COLUMNS = (
    "instrument_id", "symbol", "period", "first_session", "last_session", "sessions",
    "open", "high", "low", "close", "volume", "return", "log_return",
)  # fmt: skip


def period_bars(bars: pl.DataFrame, *, every: Period) -> pl.DataFrame:
    """One bar per instrument and ISO week or calendar month that has a session, with its return.

    Prices are in the basis of the period's last session, volume in its split basis:
    open, high, low: of price[s] * factor[s] / factor[last]
    volume: sum of volume[s] * split_factor[last] / split_factor[s]
    return: close[last] * factor[last] / (close[last'] * factor[last']) - 1, last' that of the bar before

    A period belongs to its Monday or first of month whether or not that day is a session. One in
    progress holds its sessions so far.

    Args:
        bars: instrument_id, symbol, session, open, high, low, close, volume, factor, split_factor; rows in
            any order, one per instrument and session. Prices are unadjusted; `factor` is the cumulative
            adjustment factor of splits and dividends, `split_factor` that of splits.
        every: `week` or `month`.

    Returns:
        instrument_id, symbol (of the last session), period (Date), first_session, last_session, sessions
        (UInt32, how many), open, high, low, close, volume, return, log_return (Float64), sorted by
        instrument_id and period. A null among the sessions' highs, lows or volumes makes the period's
        null; open and close are those of the first and last session, null or not. The returns of an
        instrument's first period are null, and so are those with a null close at either end.

    Raises:
        MetricInputError: A column is missing, or an instrument has two rows of one session.

    Reference: for the returns, Campbell, Lo & MacKinlay (1997), section 1.4.

    Example:
        >>> from datetime import date
        >>> bars = pl.DataFrame({
        ...     "instrument_id": "a", "symbol": "A", "session": [date(2013, 2, 28), date(2013, 3, 1)],
        ...     "open": [9.0, 5.0], "high": [10.0, 6.0], "low": [8.0, 5.0], "close": [10.0, 6.0],
        ...     "volume": [100.0, 300.0], "factor": [1.0, 2.0], "split_factor": [1.0, 2.0],
        ... })
        >>> period_bars(bars, every="week").select("period", "open", "high", "low", "close", "volume").rows()
        [(datetime.date(2013, 2, 25), 4.5, 6.0, 4.0, 6.0, 500.0)]
    """
    ordered = in_order(bars, BAR_COLUMNS, "bars")
    instrument = pl.col("instrument_id").rle_id()
    close = adjusted_price(pl.col("close"), pl.col("factor"))
    return (
        ordered.lazy()
        .with_columns(period=pl.col("session").dt.truncate(_LENGTHS[every]))
        .with_columns(_bar=pl.struct(instrument, "period").rle_id())
        .with_columns(*_in_basis_of_last())
        .group_by("_bar", maintain_order=True)
        .agg(*_aggregates())
        .with_columns(*(_unless_incomplete(column) for column in _WHOLE), _instrument=instrument)
        .with_columns(
            simple_return(close).over("_instrument").alias("return"),
            log_return(close).over("_instrument").alias("log_return"),
        )
        .select(_COLUMNS)
        .collect(engine="in-memory")
    )


def _in_basis_of_last() -> list[pl.Expr]:
    # Ratios first: in an unchanged basis they are exactly 1, and the bar holds the prices as traded.
    price_ratio = pl.col("factor") / pl.col("factor").last().over("_bar")
    share_ratio = pl.col("split_factor").last().over("_bar") / pl.col("split_factor")
    return [pl.col("open", "high", "low") * price_ratio, pl.col("volume") * share_ratio]


def _aggregates() -> list[pl.Expr]:
    return [
        pl.col("instrument_id", "period", "open").first(),
        pl.col("symbol", "close", "factor").last(),
        pl.col("session").first().alias("first_session"),
        pl.col("session").last().alias("last_session"),
        pl.len().alias("sessions"),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("volume").sum(),
        pl.col(_WHOLE).null_count().name.suffix("_nulls"),
    ]


def _unless_incomplete(column: str) -> pl.Expr:
    return pl.when(pl.col(f"{column}_nulls") == 0).then(column)
