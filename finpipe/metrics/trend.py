"""Where the price has been on average."""

from __future__ import annotations

import polars as pl


def simple_moving_average(close: pl.Expr, *, window: int) -> pl.Expr:
    """Mean close of the last `window` sessions, the session itself included.

    SMA[t] = (close[t-window+1] + ... + close[t]) / window

    Args:
        close: Adjusted close, quote currency; one instrument, ascending by session.
        window: Sessions averaged, >= 1.

    Returns:
        Float64, quote currency, in the basis of `close`. Null for the first window - 1 sessions and
        wherever a close of the window is null: the window is full or there is no value.

    Reference: StockCharts, ChartSchool, "Moving Averages - Simple and Exponential".

    Example:
        >>> bars = pl.DataFrame({"close": [11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0]})
        >>> bars.select(simple_moving_average(pl.col("close"), window=5))["close"].to_list()
        [None, None, None, None, 13.0, 14.0, 15.0]
    """
    return close.rolling_mean(window)
