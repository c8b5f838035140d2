"""Splits and dividends read out of close and adjusted close, and the adjusted close computed back from them.

An adjusted close is the close times a factor that steps where an action took effect. With m = factor[t] /
factor[t-1]: a split of ratio r has m = r; a cash dividend D has m = 1 + D / close[t] (Quandl WIKI, CRSP: the
ex-date's own close) or m = 1 / (1 - D / close[t-1]) (Yahoo: the close before).
"""

from __future__ import annotations

from fractions import Fraction

import polars as pl

ACTIONS_SCHEMA = pl.Schema(
    {
        "symbol": pl.String(),
        "session": pl.Date(),
        "kind": pl.String(),
        "amount": pl.Float64(),
        "ratio": pl.Float64(),
    }
)

_LEAST_STEP = 1e-6
"""Relative step of a factor below which it is rounding, not an action (the least real one here is 1.1e-3)."""

_FLOAT_NOISE = 1e-10
_MOST_DECIMALS = 8
_LEAST_SPLIT = 1.2
_LARGEST_SPLIT_TERM = 50


def derive_actions(bars: pl.DataFrame) -> pl.DataFrame:
    """Corporate actions that explain the adjusted close.

    A factor that steps by a plain fraction of at least 6/5, or down (a reverse split), is a split; any other
    step up is a cash dividend. Smaller stock dividends therefore appear as cash, and a split and a dividend of
    one session as one of the two. A step down that is no plain fraction explains nothing and is left out.

    Args:
        bars: symbol, session, close, adjusted_close (null or not positive: the session is passed over),
            ascending by symbol and session.

    Returns:
        symbol, session, kind ('split' | 'cash_dividend'), amount (per share, 4 decimals; null for a split),
        ratio (new shares per old share; null for a dividend), in the order of `bars`.
    """
    steps = _factor_steps(bars)
    ratios = [_split_ratio(step, noise) for step, noise in zip(steps["step"], steps["noise"], strict=True)]
    steps = steps.with_columns(ratio=pl.Series(ratios, dtype=pl.Float64))
    dividends = pl.col("ratio").is_null() & (pl.col("step") > 1)
    steps = steps.filter(dividends | pl.col("ratio").is_not_null())
    amount = _dividend_amount(steps.filter(dividends)).round(4)
    return steps.select(
        "symbol",
        "session",
        kind=pl.when(dividends).then(pl.lit("cash_dividend")).otherwise(pl.lit("split")),
        amount=pl.when(dividends).then(amount),
        ratio="ratio",
    )


def adjusted_close(close: pl.Expr, dividend: pl.Expr, split: pl.Expr) -> pl.Expr:
    """Close adjusted for splits and cash dividends, in the basis of the last row.

    adjusted[t] = close[t] * g[t] / g[last], g = cumulative product of split * (1 + dividend / close).

    Args:
        close: Unadjusted, one symbol, ascending by session.
        dividend: Per share on its ex-date, else 0.
        split: New shares per old share on its date, else 1.

    Returns:
        Float64; null where the close is. A dividend without a positive close on its ex-date adjusts nothing.
    """
    # A null close is not greater than 0, so it takes the otherwise branch.
    growth = pl.when(close > 0).then(1 + dividend / close).otherwise(1.0)
    factor = (split * growth).cum_prod()
    return close * (factor / factor.last())


def _factor_steps(bars: pl.DataFrame) -> pl.DataFrame:
    """Sessions at which the factor steps by more than the adjusted close's own rounding explains."""
    factor = pl.col("adjusted_close") / pl.col("close")
    resolution = _resolution(bars["adjusted_close"])
    before = pl.col("adjusted_close").shift(1)
    # Each of the two may be off by half a unit of its last decimal.
    noise = resolution / 2 * (1 / pl.col("adjusted_close") + 1 / before)
    return (
        bars.filter((pl.col("close") > 0) & (pl.col("adjusted_close") > 0))
        .with_columns(
            step=(factor / factor.shift(1)).over("symbol"),
            noise=pl.max_horizontal(noise, pl.lit(_LEAST_STEP)).over("symbol"),
            previous_close=pl.col("close").shift(1).over("symbol"),
        )
        .filter((pl.col("step") - 1).abs() > pl.col("noise"))
    )


def _resolution(adjusted: pl.Series) -> float:
    """The last decimal the column is rounded to; 0.0 when it holds full precision."""
    for decimals in range(_MOST_DECIMALS + 1):
        if not ((adjusted - adjusted.round(decimals)).abs() > _FLOAT_NOISE).any():
            return 10.0**-decimals
    return 0.0


def _split_ratio(step: float, noise: float) -> float | None:
    if 1 <= step < _LEAST_SPLIT:
        return None
    plain = Fraction(step).limit_denominator(10) if step > 1 else 1 / Fraction(1 / step).limit_denominator(10)
    if max(plain.numerator, plain.denominator) > _LARGEST_SPLIT_TERM:
        return None
    ratio = float(plain)
    return ratio if abs(step / ratio - 1) <= noise else None


def _dividend_amount(steps: pl.DataFrame) -> pl.Expr:
    """Cash per share by the convention under which the file's amounts lie nearest to whole cents."""
    on_ex_date = (pl.col("step") - 1) * pl.col("close")
    on_previous = (1 - 1 / pl.col("step")) * pl.col("previous_close")
    distance = steps.select(
        ex_date=(on_ex_date - on_ex_date.round(2)).abs().sum(),
        previous=(on_previous - on_previous.round(2)).abs().sum(),
    ).row(0)
    return on_ex_date if distance[0] <= distance[1] else on_previous
