"""Counting records by what became of their rows."""

from __future__ import annotations

import polars as pl
import pytest

from finpipe.staging.accounting import COUNTS, STANDINGS, Standing, counts_of


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], {"unchanged": 1}),
        ([Standing.NEW, Standing.NEW], {"new": 1}),
        ([Standing.UNCHANGED, Standing.RESTATED], {"restated": 1}),
        ([Standing.RESTATED, Standing.QUARANTINED, Standing.DUPLICATE], {"quarantined": 1}),
        ([Standing.OUT_OF_SCOPE, Standing.OUT_OF_SCOPE], {"out_of_scope": 1}),
    ],
)
def test_record_stands_as_the_highest_of_its_rows(rows: list[Standing], expected: dict[str, int]) -> None:
    standings = pl.DataFrame([(0, 0, int(standing)) for standing in rows], schema=STANDINGS, orient="row")
    records = pl.DataFrame({"number": [0], "records": [1]}, schema={"number": pl.Int32, "records": pl.Int64})
    counted = counts_of(standings, records).row(0, named=True)
    assert {name: counted[name] for name in COUNTS if counted[name]} == expected


def test_counts_keep_the_receipts_without_a_record() -> None:
    standings = pl.DataFrame([(2, 0, 5), (2, 1, 7)], schema=STANDINGS, orient="row")
    records = pl.DataFrame({"number": [1, 2], "records": [0, 3]}, schema={"number": pl.Int32, "records": pl.Int64})
    counted = counts_of(standings, records)
    assert counted.select("number", "new", "quarantined", "unchanged").rows() == [(1, 0, 0, 0), (2, 1, 1, 1)]
