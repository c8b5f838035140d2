"""Prices made comparable across splits and dividends.

Every session has a factor: the product of k over the actions effective since the instrument's first
session, so that `price * factor` is comparable over all sessions and an action changes no factor before
its own session, bit for bit. A price of session s in the basis of session t is `price * factor[s] / factor[t]`.

- split of `ratio` new shares per old share: k = ratio
- cash dividend: k = 1 / (1 - amount / previous close): the multiplier of Yahoo's adjusted close, turned
  round (help.yahoo.com, "What is the adjusted close?"). It needs no price of its own session.

  A return over the ex-session is then close / (previous close - amount) - 1. CRSP and Quandl's WIKI
  reinvest at that session's close instead (k = 1 + amount / close); each dividend's k differs by its yield
  times the session's return, and a year of a usual payer by some 1e-4.

Where both fall on one session, the amount is per share held before the split, as d[t] is in CRSP's return
(p[t] f[t] + d[t]) / p[t'] - 1 (CRSP US Stock Data Descriptions Guide, chapter 5). An action without a bar
on its session takes effect at the next bar; between two bars actions follow by session, and a split among
them restates the previous close for the dividends of later sessions.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

import polars as pl

Adjustment = Literal["none", "splits", "splits_dividends"]

_KEY = ("instrument_id", "session")
_PRICES = ("open", "high", "low", "close")
_IS_SPLIT = pl.col("kind") == "split"
_IS_DIVIDEND = pl.col("kind") == "cash_dividend"
_NOT_A_NUMBER = pl.lit(float("nan"))  # within this file "unusable": unlike null it survives every product


def with_factors(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """The bars with `factor` (splits and dividends) and `split_factor` (splits alone), anew if they had them.

    Args:
        bars: Current bars of any instruments: instrument_id, session, close and currency; any order.
        actions: Their current actions: instrument_id, session, kind, amount, currency, ratio; any order.
            What is effective at or before an instrument's first bar changes nothing.

    Returns:
        Float64, dimensionless, 1 at the first session; sorted by instrument_id, session. From the session
        of an action that cannot be used on, the factor it would change is null: better no number than a
        wrong one. `unusable_actions` lists them with the reason.
    """
    return _with_factors(bars, actions).with_columns(pl.col("factor", "split_factor").fill_nan(None))


def unusable_actions(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """The actions no factor can be computed from, with `previous_close` and `reason`; sorted.

    A dividend must be above zero, below the close before it (restated for a split in between) and in that
    bar's currency; a split must have a finite ratio above zero.
    """
    placed = _placed(bars.sort(_KEY), actions)
    return placed.filter(pl.col("k").is_nan()).select(*actions.columns, "previous_close", reason=_reason())


def adjusted(
    bars: pl.DataFrame, actions: pl.DataFrame, basis: Adjustment, stated_in: date | None = None
) -> pl.DataFrame:
    """The bars restated in the basis of one session, sorted by instrument_id, session.

    Args:
        bars: As for `with_factors`, with volume and any of open, high, low and close.
        actions: As for `with_factors`.
        basis: `none` changes nothing; `splits` restates prices and volume for splits; `splits_dividends`
            restates prices for dividends too. A dividend changes no number of shares.
        stated_in: Session whose basis is meant, for an instrument without a bar on it the last one before,
            or else its first. None: each instrument's last session.

    Returns:
        The columns of `bars`. Null where a factor on the way is null.
    """
    if basis == "none":
        return bars.sort(_KEY)
    rows = _with_factors(bars, actions)
    price, share = pl.col("split_factor" if basis == "splits" else "factor"), pl.col("split_factor")
    stated = rows if stated_in is None else rows.filter(pl.col("session") <= stated_in)
    anchors = stated.group_by("instrument_id").agg(_price=price.last(), _share=share.last())
    prices = [name for name in _PRICES if name in bars.columns]
    return (
        rows.join(anchors, on="instrument_id", how="left", maintain_order="left")
        .with_columns(
            pl.col(prices) * (price / pl.col("_price").fill_null(1.0)),
            pl.col("volume") * (pl.col("_share").fill_null(1.0) / share),
        )
        .with_columns(pl.col(*prices, "volume", "factor", "split_factor").fill_nan(None))
        .select(bars.columns)
    )


def _with_factors(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """The bars with their factors; NaN where an action cannot be used."""
    ordered = bars.drop("factor", "split_factor", strict=False).sort(_KEY)
    steps = (
        _placed(ordered, actions)
        .group_by("instrument_id", "effective", maintain_order=True)
        .agg(factor=pl.col("k").product(), split_factor=pl.col("k").filter(_IS_SPLIT).product())
    )
    stepped = ordered.join(
        steps, left_on=_KEY, right_on=["instrument_id", "effective"], how="left", maintain_order="left"
    )
    return stepped.with_columns(pl.col("factor", "split_factor").fill_null(1.0).cum_prod().over("instrument_id"))


def _placed(ordered_bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """The actions that change a factor, each with the session of its bar (`effective`) and its `k`."""
    targets = ordered_bars.select(
        *_KEY,
        effective="session",
        previous_close=pl.col("close").shift(1).over("instrument_id"),
        previous_currency=pl.col("currency").shift(1).over("instrument_id"),
    )
    # By kind, so that a dividend comes before a split of its session: it is per old share.
    ordered = actions.sort(*_KEY, "kind")
    placed = ordered.join_asof(targets, on="session", by="instrument_id", strategy="forward", check_sortedness=False)
    split_before = pl.when(_IS_SPLIT).then("ratio").otherwise(1.0).cum_prod().shift(1, fill_value=1.0)
    return (
        placed.filter(pl.col("previous_close").is_not_null())
        .with_columns(pl.col("previous_close") / split_before.over("instrument_id", "effective"))
        .with_columns(k=pl.when(_reason().is_null()).then(_k()).otherwise(_NOT_A_NUMBER))
    )


def _k() -> pl.Expr:
    return pl.when(_IS_SPLIT).then("ratio").otherwise(1 / (1 - pl.col("amount") / pl.col("previous_close")))


def _reason() -> pl.Expr:
    """Why an action cannot be used; null when it can."""
    amount, ratio = pl.col("amount"), pl.col("ratio")
    return (
        pl.when(_IS_SPLIT & ~(ratio.is_finite() & (ratio > 0)).fill_null(False))
        .then(pl.lit("split without a ratio above 0"))
        .when(_IS_DIVIDEND & ~(amount > 0).fill_null(False))
        .then(pl.lit("dividend without an amount above 0"))
        .when(_IS_DIVIDEND & ~(pl.col("currency") == pl.col("previous_currency")).fill_null(False))
        .then(pl.lit("dividend in another currency than the price"))
        .when(_IS_DIVIDEND & ~(amount < pl.col("previous_close")).fill_null(False))
        .then(pl.lit("dividend not below the previous close"))
        .when(~(_IS_SPLIT | _IS_DIVIDEND))
        .then(pl.lit("unknown kind"))
    )
