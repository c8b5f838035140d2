"""Prices and levels stated in a chosen basis.

A split or dividend changes what one share is worth, so prices on both sides of it compare only in one
basis. `factor` is the cumulative adjustment factor of core: the price of session s in the basis of
session b is price[s] * factor[s] / factor[b].
"""

from __future__ import annotations

import math

import polars as pl


def adjusted_price(price: pl.Expr, factor: pl.Expr) -> pl.Expr:
    """Price in the basis of the instrument's first session, in which windows are computed.

    p[t] = price[t] * factor[t]

    Args:
        price: Unadjusted price, quote currency.
        factor: Cumulative adjustment factor of the same session, > 0.

    Returns:
        Float64, quote currency, in any row order. Null where either is null, and where the product is no
        price: zero, negative, infinite or not a number.

    Reference: CRSP, Data Descriptions Guide, "Cumulative Factor to Adjust Prices".

    Example:
        >>> bars = pl.DataFrame({"close": [100.0, 50.0, None], "factor": [1.0, 2.0, 2.0]})
        >>> bars.select(adjusted_price(pl.col("close"), pl.col("factor")))["close"].to_list()
        [100.0, 100.0, None]
    """
    adjusted = price * factor
    # Polars orders NaN above every number, so the upper end shuts it out as well.
    return pl.when(adjusted.is_between(0.0, math.inf, closed="none")).then(adjusted)


def own_basis(level: pl.Expr, factor: pl.Expr) -> pl.Expr:
    """Level stated in the basis of its own session, so that it compares with that day's prices.

    l[t] = level[t] / factor[t]

    A later split or dividend changes `factor` of later sessions only, and so no value stated before it.

    Args:
        level: A level computed on `adjusted_price`, quote currency.
        factor: Cumulative adjustment factor of the same session, > 0.

    Returns:
        Float64, quote currency, in any row order. Null where either is null.

    Reference: as `adjusted_price`, solved for the session's own basis.

    Example:
        >>> levels = pl.DataFrame({"sma": [100.0, 100.0], "factor": [1.0, 2.0]})
        >>> levels.select(own_basis(pl.col("sma"), pl.col("factor")))["sma"].to_list()
        [100.0, 50.0]
    """
    return level / factor
