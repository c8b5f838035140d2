"""Highest and lowest prices of a window, and how far the close is from them."""

from __future__ import annotations

import polars as pl


def highest_high(high: pl.Expr, *, window: int) -> pl.Expr:
    """Highest price of the last `window` sessions, the session itself included.

    H[t] = max(high[t-window+1], ..., high[t])

    Args:
        high: Adjusted highest price of each session, quote currency; one instrument, ascending.
        window: Sessions looked at, >= 1; 252 stand for 52 weeks.

    Returns:
        Float64, quote currency, in the basis of `high`. Null for the first window - 1 sessions and
        wherever a high of the window is null: the unknown one might be the highest.

    Reference: George & Hwang, The 52-Week High and Momentum Investing, Journal of Finance 59 (2004).

    Example:
        >>> bars = pl.DataFrame({"high": [10.0, 12.0, 11.0, 9.0]})
        >>> bars.select(highest_high(pl.col("high"), window=2))["high"].to_list()
        [None, 12.0, 12.0, 11.0]
    """
    return high.rolling_max(window)


def lowest_low(low: pl.Expr, *, window: int) -> pl.Expr:
    """Lowest price of the last `window` sessions, the session itself included.

    L[t] = min(low[t-window+1], ..., low[t])

    Args:
        low: Adjusted lowest price of each session, quote currency; one instrument, ascending.
        window: Sessions looked at, >= 1; 252 stand for 52 weeks.

    Returns:
        Float64, quote currency, in the basis of `low`. Null for the first window - 1 sessions and
        wherever a low of the window is null: the unknown one might be the lowest.

    Reference: as `highest_high`.

    Example:
        >>> bars = pl.DataFrame({"low": [10.0, 12.0, 11.0, 9.0]})
        >>> bars.select(lowest_low(pl.col("low"), window=2))["low"].to_list()
        [None, 10.0, 11.0, 9.0]
    """
    return low.rolling_min(window)


def distance(close: pl.Expr, level: pl.Expr) -> pl.Expr:
    """How far the close is from a level.

    d[t] = close[t] / level[t] - 1

    Args:
        close: Close, quote currency.
        level: A level in the basis of `close`, quote currency, > 0.

    Returns:
        Float64, a fraction: -0.1 is 10 % below the level, exactly 0 on it. Null where either is null.
        Of rows in any order.

    Reference: George & Hwang (2004), whose ratio close / 52-week high is 1 + d.

    Example:
        >>> bars = pl.DataFrame({"close": [9.0, 12.0], "high": [12.0, 12.0]})
        >>> bars.select(distance(pl.col("close"), pl.col("high")))["close"].to_list()
        [-0.25, 0.0]
    """
    return close / level - 1.0
