"""What every metric table asks of the frames it is computed from."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from finpipe.errors import MetricInputError

BAR_COLUMNS = (
    "instrument_id", "symbol", "session", "open", "high", "low", "close", "volume", "factor", "split_factor",
)  # fmt: skip
KEY = ("instrument_id", "session")


def in_order(frame: pl.DataFrame, columns: Sequence[str], what: str) -> pl.DataFrame:
    """Those columns of a frame, sorted by instrument and session: window functions go by row.

    Raises:
        MetricInputError: A column is missing, or an instrument has two rows of one session.
    """
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise MetricInputError(f"{what}: no column {', '.join(missing)}; found {', '.join(frame.columns)}")
    ordered = frame.select(columns).sort(KEY)
    repeated = ordered.filter(pl.all_horizontal(pl.col(KEY) == pl.col(KEY).shift(1)))
    if not repeated.is_empty():
        instrument, session = repeated.select(KEY).row(0)
        raise MetricInputError(f"{what}: more than one row for {instrument} on {session}")
    return ordered
