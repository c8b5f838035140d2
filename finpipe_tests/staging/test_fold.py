"""Version chains of literal observations."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl

from finpipe.schemas import CORPORATE_ACTIONS, LINEAGE
from finpipe.staging.accounting import Standing
from finpipe.staging.fold import Folded, fold

OUT = datetime(2013, 3, 1, 23, tzinfo=UTC)
GRACE = timedelta(hours=4)
FACT = ("IBM", date(2013, 3, 1), "cash_dividend")
SCHEMA = {
    "number": pl.Int32(),
    "record": pl.Int32(),
    **CORPORATE_ACTIONS.schema,
    "present": pl.Boolean(),
    "received_at": pl.Datetime("us", "UTC"),
    "available_at": pl.Datetime("us", "UTC"),
}


def dividends(*amounts: float | None) -> pl.DataFrame:
    """One observation a day of the same key; None where the record says there is no dividend."""
    rows = [
        (n, 0, *FACT, amount, "USD" if amount else None, None, amount is not None, OUT + timedelta(days=n), OUT)
        for n, amount in enumerate(amounts)
    ]
    return pl.DataFrame(rows, schema=pl.Schema(SCHEMA), orient="row")


def folded(observations: pl.DataFrame, known: pl.DataFrame | None = None) -> Folded:
    return fold({"corporate_actions": observations}, {} if known is None else {"corporate_actions": known}, GRACE)


def amounts(result: Folded) -> list[tuple[int, float | None, bool]]:
    return result.versions["corporate_actions"].select("number", "amount", "is_retracted").rows()


def test_fold_adds_a_version_only_where_the_content_changes() -> None:
    assert amounts(folded(dividends(0.5, 0.5, 0.6, 0.6, 0.5))) == [(0, 0.5, False), (2, 0.6, False), (4, 0.5, False)]


def test_fold_retracts_only_what_was_there() -> None:
    assert amounts(folded(dividends(None, None, 0.5, None, None))) == [(2, 0.5, False), (3, None, True)]
    assert amounts(folded(dividends(None))) == []


def test_fold_does_not_depend_on_the_order_of_rows() -> None:
    observations = dividends(0.5, None, 0.6)
    for name, versions in folded(observations.reverse()).versions.items():
        assert versions.equals(folded(observations).versions[name])


def test_fold_starts_from_the_latest_known_version() -> None:
    lineage = {column.name: column.dtype for column in LINEAGE}
    known = pl.DataFrame(
        [
            (*FACT, 0.6, "USD", None, "s", "20130302T000000000000Z-b", 0, OUT, "observed", False),
            (*FACT, 0.5, "USD", None, "s", "20130301T230000000000Z-a", 0, OUT, "observed", False),
        ],
        schema=pl.Schema({**CORPORATE_ACTIONS.schema, **lineage}),
        orient="row",
    )
    assert amounts(folded(dividends(0.6, 0.5), known)) == [(1, 0.5, False)]
    assert amounts(folded(dividends(None), known)) == [(0, None, True)]
    standings = folded(dividends(0.6, 0.5), known).standings
    assert standings["standing"].to_list() == [Standing.UNCHANGED, Standing.RESTATED]
