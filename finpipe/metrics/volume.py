"""What traded, and of what kind."""

from __future__ import annotations

import polars as pl


def short_volume_ratio(short_volume: pl.Expr, total_volume: pl.Expr) -> pl.Expr:
    """Share of the reported volume that was sold short.

    s[t] = short_volume[t] / total_volume[t]

    Both are volumes of one session in the same shares, so no adjustment enters. They are what is
    reported to FINRA's facilities, not the volume of the whole market.

    Args:
        short_volume: Shares sold short, short-exempt ones as the source counts them; >= 0.
        total_volume: Shares reported, of the same session and facilities; >= 0.

    Returns:
        Float64, a fraction (0.4 is 40 %), of rows in any order. Null where either is null and where
        the total is not above 0.

    Reference: FINRA, Information Notice 5/10/19, Understanding Short Sale Volume Data.

    Example:
        >>> day = pl.DataFrame({"short": [40.0, 0.0, 1.0], "total": [100.0, 0.0, None]})
        >>> day.select(short_volume_ratio(pl.col("short"), pl.col("total")))["short"].to_list()
        [0.4, None, None]
    """
    return short_volume / pl.when(total_volume > 0).then(total_volume)
