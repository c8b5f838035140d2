"""How much returns scatter."""

from __future__ import annotations

import math

import polars as pl

from finpipe.metrics.returns import log_return

SESSIONS_PER_YEAR = 252  # Hull, section 15.4: the usual count of trading days for stocks


def realised_volatility(close: pl.Expr, *, window: int, sessions_per_year: int = SESSIONS_PER_YEAR) -> pl.Expr:
    """Realised close-to-close volatility, annualised.

    r[t] = ln(close[t] / close[t-1])
    v[t] = sqrt(sessions_per_year) * sqrt(sum((r[i] - mean(r))^2) / (window - 1)), i = t-window+1 .. t

    The deviation is that of a sample, about the mean of its window.

    Args:
        close: Adjusted close, quote currency, > 0; one instrument, ascending by session.
        window: Returns in the sample, >= 2; it takes one close more.
        sessions_per_year: What annualises: 252 for stocks, 365 for markets that never close.

    Returns:
        Float64, a fraction per year (0.2 is 20 % a year). Null for the first `window` sessions and
        wherever one of the window + 1 closes is null or not positive.

    Reference: Hull, Options, Futures, and Other Derivatives (10th ed., 2018), section 15.4.

    Example:
        >>> bars = pl.DataFrame({"close": [20.0, 20.1, 19.9, 20.0]})
        >>> bars.select(realised_volatility(pl.col("close"), window=3).round(4))["close"].to_list()
        [None, None, None, 0.1375]
    """
    return log_return(close).rolling_std(window, ddof=1) * math.sqrt(sessions_per_year)
