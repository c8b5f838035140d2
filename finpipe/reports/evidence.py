"""The receipts a statement about an instrument rests on."""

from __future__ import annotations

import polars as pl

_KEY = ("instrument_id", "session")


def with_receipts(found: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """Add `receipts`: those of the last `window` bars up to the session, each once, sorted.

    Neighbouring bars mostly come from one answer, so what is listed are runs of receipts, not bars.

    Args:
        found: Rows with instrument_id, session and window (how many bars); its own columns are kept.
        bars: The bars with their receipt; any order.

    Returns:
        The rows that have a bar, sorted by instrument_id, session.
    """
    positions = _positions(bars)
    rows = found.join(positions, on=_KEY, how="inner").sort(_KEY)
    start = pl.max_horizontal("first", pl.col("at") - pl.col("window") + 1)
    rows = rows.with_columns(first_run=positions["run"].gather(rows.select(start).to_series()))
    runs = pl.int_ranges("first_run", pl.col("run") + 1)
    return rows.select(*found.columns, receipts=_receipts(rows.select(runs).to_series(), positions))


def _positions(bars: pl.DataFrame) -> pl.DataFrame:
    """Each bar's row number `at`, that of its instrument's `first` bar, and its `run` of one receipt."""
    return (
        bars.select(*_KEY, "receipt")
        .sort(_KEY)
        .with_columns(at=pl.int_range(pl.len()), run=pl.col("receipt").rle_id().cast(pl.Int64))
        .with_columns(first=pl.col("at").first().over("instrument_id"))
    )


def _receipts(runs: pl.Series, positions: pl.DataFrame) -> pl.Series:
    """The receipts of each row's list of runs."""
    of_run = positions.unique("run", keep="first", maintain_order=True)["receipt"]
    names = of_run.unique().sort()
    # Row and name in one number: numbers sort far faster than text.
    number_of_run = pl.Series(of_run.rank("dense") - 1, dtype=pl.Int64)
    cited = pl.DataFrame({"row": pl.int_range(len(runs), eager=True), "run": runs}).explode("run")
    pairs = (cited["row"] * len(names) + number_of_run.gather(cited["run"])).unique().sort()
    return (
        pl.DataFrame({"row": pairs // len(names), "receipt": names.gather(pairs % len(names))})
        .group_by("row", maintain_order=True)
        .agg("receipt")["receipt"]
    )
