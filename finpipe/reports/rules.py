"""What fires an insight: each rule gives the rows of the bars or metrics for which it holds.

All return instrument_id, symbol, session, value and threshold, and `window`: how many bars of the instrument,
the session's own included, the statement rests on.
"""

from __future__ import annotations

from math import log

import polars as pl

from finpipe.metrics.basis import adjusted_price, own_basis
from finpipe.metrics.extremes import highest_high, lowest_low

_KEY = ("instrument_id", "session")
_FACTOR = pl.col("factor")
_FOUND = (*_KEY, "symbol", "value", "threshold", "window")

SESSIONS_52W = 252  # with the session itself: 52 weeks of a US year's about 252 sessions
SMA_SLOW = 200
_TOUCH = 1e-9  # relative; two sums over one flat price differ in the last digits

# What splits usually are, in new shares per old; a split of 5:4 or less looks like a bad day.
SPLIT_RATIOS = {
    "3:2": 3 / 2,
    **{f"{n}:1": float(n) for n in (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 50)},
    **{f"1:{n}": 1 / n for n in (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 50)},
}
# Over 619,040 bars of 505 S&P 500 members, 2013 to 2018, these two bounds single out DISCA and DISCK of
# 2014-08-07 (a share dividend) and the recovery from one bad close. News moves a price as far, but then
# many times the usual money changes hands (at the median 7 times, for moves beyond 20 %).
JUMP_TOLERANCE = 0.05  # log points around the split
JUMP_TURNOVER = 4.0  # times the mean of the sessions before
JUMP_WINDOW = 20
_SMALLEST_JUMP = log(SPLIT_RATIOS["3:2"]) - JUMP_TOLERANCE


def mean_before(value: pl.Expr, *, window: int) -> pl.Expr:
    """Mean of the `window` values before each row, the row itself left out; null before there are as many."""
    return value.shift(1).rolling_mean(window)


def new_highs(bars: pl.DataFrame) -> pl.DataFrame:
    """Closes above every high of the 251 sessions before; threshold is the highest of them.

    Both are in the basis of the session, adjusted for splits and dividends. Reaching a high again is no new
    high. An instrument with fewer sessions before has none.
    """
    bound = highest_high(adjusted_price(pl.col("high"), _FACTOR), window=SESSIONS_52W - 1)
    return _beyond(bars, bound, adjusted_price(pl.col("close"), _FACTOR) > pl.col("bound"))


def new_lows(bars: pl.DataFrame) -> pl.DataFrame:
    """Closes below every low of the 251 sessions before; as `new_highs`."""
    bound = lowest_low(adjusted_price(pl.col("low"), _FACTOR), window=SESSIONS_52W - 1)
    return _beyond(bars, bound, adjusted_price(pl.col("close"), _FACTOR) < pl.col("bound"))


def _beyond(bars: pl.DataFrame, bound: pl.Expr, fires: pl.Expr) -> pl.DataFrame:
    # Compared in the basis of the window: divided back first, an equal price could differ in its last digit.
    return (
        bars.sort(_KEY)
        .with_columns(bound=bound.shift(1).over("instrument_id"))
        .filter(fires)
        .with_columns(value="close", threshold=own_basis(pl.col("bound"), _FACTOR), window=pl.lit(SESSIONS_52W))
        .select(_FOUND)
    )


def sma_crosses(metrics: pl.DataFrame) -> pl.DataFrame:
    """Sessions on which the SMA 50 came to the other side of the SMA 200; value and threshold are the two.

    The side is that of the last session on which they differed, so that touching and turning back is no
    cross. Nothing is said across a session without both.

    Returns:
        In addition `is_up`: it is above now.
    """
    side = pl.col("side")
    return (
        metrics.sort(_KEY)
        .with_columns(side=_side(pl.col("sma_50") / pl.col("sma_200")))
        .with_columns(side=side.forward_fill().over("instrument_id"))
        .filter(side + side.shift(1).over("instrument_id") == 0, side != 0)
        .with_columns(value="sma_50", threshold="sma_200", window=pl.lit(SMA_SLOW + 1), is_up=side > 0)
        .select(*_FOUND, "is_up")
    )


def _side(ratio: pl.Expr) -> pl.Expr:
    """1 above, -1 below, null for a touch, 0 for unknown: a forward fill then crosses touches, not gaps."""
    known = pl.when(ratio > 1 + _TOUCH).then(1).when(ratio < 1 - _TOUCH).then(-1)
    return pl.when(ratio.is_null()).then(0).otherwise(known)


def suspected_splits(bars: pl.DataFrame) -> pl.DataFrame:
    """Sessions whose prices look split while no split stands on them.

    Since the close before, adjusted for what does stand there, both open and close moved as a usual split
    would move them, within 5 %, and the money turned over is at most 4 times its mean of the 20 sessions
    before (where that is known): a split changes the price of a share, not the interest in it.

    Returns:
        `value` is close over the previous close, `threshold` what it would be by the split alone, and in
        addition `split`: that split in words, e.g. 2:1.
    """
    before = own_basis(adjusted_price(pl.col("close"), _FACTOR).shift(1), _FACTOR)
    turnover = pl.col("close") * pl.col("volume")
    jumps = (
        bars.sort(_KEY)
        .with_columns(
            before=before.over("instrument_id"),
            is_split=(pl.col("split_factor") != pl.col("split_factor").shift(1)).over("instrument_id"),
            usual=mean_before(turnover, window=JUMP_WINDOW).over("instrument_id"),
        )
        .with_columns(value=pl.col("close") / pl.col("before"))
        .filter(~pl.col("is_split"), (turnover <= JUMP_TURNOVER * pl.col("usual")).fill_null(True))
        .filter(pl.col("value").log().abs() >= _SMALLEST_JUMP)
    )
    return _nearest_split(jumps).select(*_FOUND, "split")


def _nearest_split(jumps: pl.DataFrame) -> pl.DataFrame:
    splits = pl.DataFrame({"split": list(SPLIT_RATIOS), "threshold": [1 / ratio for ratio in SPLIT_RATIOS.values()]})
    distance = (pl.col("value") / pl.col("threshold")).log().abs()
    opened = (pl.col("open") / pl.col("before") / pl.col("threshold")).log().abs()
    return (
        jumps.join(splits, how="cross", maintain_order="left_right")
        .filter(distance <= JUMP_TOLERANCE, opened <= JUMP_TOLERANCE)
        .sort(*_KEY, distance)
        .unique(_KEY, keep="first", maintain_order=True)
        .with_columns(window=pl.lit(JUMP_WINDOW + 1))
    )
