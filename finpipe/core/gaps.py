"""Sessions an instrument should have traded in and has no bar for."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import polars as pl


def with_gaps(bars: pl.DataFrame, sessions: Collection[date]) -> pl.DataFrame:
    """The bars, and a row of nulls for every session between an instrument's first and last that has none.

    A window that counts rows then counts sessions: a return is not taken over a hole, and a mean that
    lacks a session is null rather than the mean of other sessions.

    Args:
        bars: instrument_id, symbol, session and any other columns; any order.
        sessions: Of the venue's calendar; those outside an instrument's first and last bar add nothing.

    Returns:
        The columns of `bars`, sorted by instrument_id and session. A gap has the symbol of the bar before.
    """
    spans = bars.group_by("instrument_id").agg(
        pl.col("session").min().alias("_first"), pl.col("session").max().alias("_last")
    )
    calendar = pl.DataFrame({"session": sorted(sessions)}, schema={"session": pl.Date})
    due = spans.join(calendar, how="cross").filter(pl.col("session").is_between("_first", "_last"))
    gaps = due.select("instrument_id", "session").join(bars, on=["instrument_id", "session"], how="anti")
    return (
        pl.concat([bars, gaps], how="diagonal")
        .sort("instrument_id", "session")
        .with_columns(pl.col("symbol").forward_fill().over("instrument_id"))
    )
