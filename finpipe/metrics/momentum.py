"""How one-sided the recent changes are."""

from __future__ import annotations

import polars as pl


def relative_strength_index(close: pl.Expr, *, window: int) -> pl.Expr:
    """Relative Strength Index with Wilder's smoothing.

    gain[t] = max(close[t] - close[t-1], 0), loss[t] = max(close[t-1] - close[t], 0)
    G[window] = mean of the first `window` gains; G[t] = (G[t-1] * (window - 1) + gain[t]) / window after it
    L likewise from the losses
    RSI[t] = 100 - 100 / (1 + G[t] / L[t]) = 100 * G[t] / (G[t] + L[t])

    Every value rests on all closes since the first, with weights that fall by 1/window a session.

    Args:
        close: Adjusted close, quote currency; one unbroken run of sessions of one instrument, ascending.
        window: Changes in the seed and length of the smoothing, >= 2; Wilder takes 14.

    Returns:
        Float64, 0 to 100. Null for the first `window` sessions. 100 when nothing but gains has been seen
        and 0 when nothing but losses; null when there has been no change at all, since G / L is then
        0 / 0 and each of ChartSchool's two rules (no losses: 100, no gains: 0) would apply.
        Null from the first null close on: the smoothing does not bridge a gap, so a caller groups by
        unbroken run, and the session after a gap begins a new seed.

    Reference: Wilder, New Concepts in Technical Trading Systems (1978), section VI; StockCharts,
        ChartSchool, "Relative Strength Index (RSI)".

    Example:
        >>> bars = pl.DataFrame({"close": [10.0, 11.0, 10.5, 11.5, 11.0]})
        >>> bars.select(relative_strength_index(pl.col("close"), window=3).round(2))["close"].to_list()
        [None, None, None, 80.0, 61.54]
    """
    change = close.diff()
    gain = _wilder_mean(change.clip(lower_bound=0.0), window)
    gain_and_loss = _wilder_mean(change.abs(), window)
    has_moved = gain_and_loss > 0.0
    is_unbroken = close.is_null().cum_sum() == 0
    # The quotient first: without losses it is exactly 1. The two means round apart, hence the bound.
    share = (gain / gain_and_loss).clip(upper_bound=1.0)
    return pl.when(has_moved & is_unbroken).then(share * 100.0)


def _wilder_mean(change: pl.Expr, window: int) -> pl.Expr:
    """Wilder's mean of changes; the change of row 0 is none."""
    row = pl.int_range(pl.len())
    # An exponential mean starts from the first value it is given: here the seed, in place of its change.
    seed = change.slice(1, window).mean()
    seeded = pl.when(row == window).then(seed).when(row > window).then(change)
    return seeded.ewm_mean(alpha=1.0 / window, adjust=False)
