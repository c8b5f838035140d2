"""What became of every record: standings, and the tables that account for them."""

from __future__ import annotations

from enum import IntEnum

import polars as pl


class Standing(IntEnum):
    """What became of a row of a record. A record's standing is the highest of its rows'.

    A record none of whose rows says anything (no dividend, no split, and none known) is unchanged.
    """

    OUT_OF_SCOPE = 1  # of another symbol or session than was asked
    NOT_FINAL = 2  # of a session that was not available yet when it was received; never stored
    DUPLICATE = 3  # said already, in the same words, by an earlier record of the same raw object
    UNCHANGED = 4  # equal to what was known
    NEW = 5
    RESTATED = 6  # changes, retracts, or adds to what was known of its symbol and session
    QUARANTINED = 7  # breaks a rule


COUNTS = tuple(standing.name.lower() for standing in reversed(Standing))

ACCOUNTS = pl.Schema(
    {
        "receipt": pl.String(),
        "sha256": pl.String(),
        "item": pl.String(),  # for_each values as canonical JSON
        "first": pl.Date(),  # sessions the request was to cover
        "last": pl.Date(),
        "received_at": pl.Datetime("us", "UTC"),
        "records": pl.Int64(),  # the sum of the counts that follow
        **dict.fromkeys(COUNTS, pl.Int64()),
        "truncated": pl.Boolean(),
    }
)

QUARANTINE = pl.Schema(
    {
        "receipt": pl.String(),
        "record": pl.Int32(),  # index within the raw object
        "table": pl.String(),  # null: the record as a whole
        "symbol": pl.String(),  # null where it could not be read
        "session": pl.Date(),  # null where it could not be read
        "rules": pl.List(pl.String),
        "content": pl.String(),  # the provider's record as JSON
    }
)

STANDINGS = pl.Schema({"number": pl.Int32, "record": pl.Int32, "standing": pl.Int8})


def counts_of(standings: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """Count records by standing.

    Args:
        standings: STANDINGS, any number of rows a record.
        records: number, records: how many each raw object holds, in the order of the result.

    Returns:
        `records` with one column more per standing, which sum to `records`.
    """
    of_record = standings.group_by("number", "record").agg(pl.col("standing").max())
    counts = of_record.group_by("number").agg(
        (pl.col("standing") == standing).sum().cast(pl.Int64).alias(standing.name.lower())
        for standing in reversed(Standing)
    )
    counted = records.join(counts, on="number", how="left", maintain_order="left").with_columns(
        pl.col(COUNTS).fill_null(0)
    )
    silent = pl.col("records") - pl.sum_horizontal(COUNTS)
    return counted.with_columns(unchanged=pl.col("unchanged") + silent)
