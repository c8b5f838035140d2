"""Returns from one session to the next."""

from __future__ import annotations

import polars as pl


def simple_return(close: pl.Expr) -> pl.Expr:
    """Simple return of each session over the one before.

    R[t] = close[t] / close[t-1] - 1

    Args:
        close: Adjusted close, quote currency, > 0; one instrument, ascending by session.

    Returns:
        Float64, a fraction (0.01 is 1 %). Null for the first session and wherever either close is null
        or not positive; a gap is not bridged.

    Reference: Campbell, Lo & MacKinlay, The Econometrics of Financial Markets (1997), section 1.4.

    Example:
        >>> bars = pl.DataFrame({"close": [100.0, 110.0, 99.0]})
        >>> bars.select(simple_return(pl.col("close")).round(4))["close"].to_list()
        [None, 0.1, -0.1]
    """
    return _growth(close) - 1.0


def log_return(close: pl.Expr) -> pl.Expr:
    """Log return of each session over the one before.

    r[t] = ln(close[t] / close[t-1])

    Args:
        close: Adjusted close, quote currency, > 0; one instrument, ascending by session.

    Returns:
        Float64, dimensionless (0.01 is about 1 %). Null for the first session and wherever either close
        is null or not positive; a gap is not bridged.

    Reference: Campbell, Lo & MacKinlay, The Econometrics of Financial Markets (1997), section 1.4.

    Example:
        >>> bars = pl.DataFrame({"close": [100.0, 110.0]})
        >>> bars.select(log_return(pl.col("close")).round(4))["close"].to_list()
        [None, 0.0953]
    """
    return _growth(close).log()


def _growth(close: pl.Expr) -> pl.Expr:
    positive = pl.when(close > 0).then(close)
    return positive / positive.shift(1)
