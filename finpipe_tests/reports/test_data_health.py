from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl
import pytest

from finpipe.reports import COUNTS, REPORTS, DatasetFacts, data_health

NOON = datetime(2013, 3, 2, 12, tzinfo=UTC)
FRIDAY, MONDAY = date(2013, 3, 1), date(2013, 3, 4)


def accounts(*receipts: dict[str, int]) -> pl.DataFrame:
    instant: pl.DataType = pl.Datetime("us", "UTC")
    schema = {"received_at": instant, **dict.fromkeys(("records", *COUNTS), pl.Int64())}
    zero = {"received_at": NOON, **dict.fromkeys(COUNTS, 0)}
    return pl.DataFrame([{**zero, **receipt} for receipt in receipts], schema=schema)


FACTS = DatasetFacts(
    source="finra",
    dataset="daily",
    accounts=accounts({"records": 5, "new": 4, "quarantined": 1}, {"records": 3, "unchanged": 2, "restated": 1}),
    last_session=FRIDAY,
    due_session=FRIDAY,
)


def test_health_adds_up_what_became_of_the_records() -> None:
    assert data_health([replace(FACTS, budget_used=7, budget_limit=25)]).to_dicts() == [
        {
            "source": "finra",
            "dataset": "daily",
            "state": "fresh",
            "last_session": FRIDAY,
            "due_session": FRIDAY,
            "is_fresh": True,
            "last_received_at": NOON,
            "records": 8,
            "new": 4,
            "restated": 1,
            "unchanged": 2,
            "duplicate": 0,
            "not_final": 0,
            "out_of_scope": 0,
            "quarantined": 1,
            "is_accounted": True,
            "open_requests": 0,
            "parked_requests": 0,
            "parked_until": None,
            "budget_used": 7,
            "budget_limit": 25,
        }
    ]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        pytest.param({}, "fresh", id="the newest due is there"),
        pytest.param({"due_session": MONDAY}, "stale", id="one is due"),
        pytest.param({"last_session": MONDAY}, "fresh", id="ahead of what is due"),
        pytest.param({"last_session": None}, "stale", id="nothing there"),
        pytest.param({"last_session": None, "due_session": None}, "fresh", id="nothing due yet"),
        pytest.param({"due_session": MONDAY, "open_requests": 1}, "open", id="being fetched"),
        pytest.param({"open_requests": 1, "parked_requests": 1, "parked_until": NOON}, "parked", id="quota used up"),
        pytest.param({"accounts": accounts({"records": 1}), "parked_requests": 1}, "unaccounted", id="record lost"),
        pytest.param({"accounts": accounts()}, "fresh", id="no receipt"),
    ],
)
def test_state_is_the_first_that_applies(change: dict[str, object], state: str) -> None:
    assert data_health([replace(FACTS, **change)])["state"].to_list() == [state]  # type: ignore[arg-type]  # mixed


def test_surplus_of_one_receipt_does_not_hide_the_lack_of_another() -> None:
    crossed = accounts({"records": 2, "new": 1}, {"records": 1, "new": 2})
    assert not replace(FACTS, accounts=crossed).is_accounted


def test_unknown_count_is_not_accounted_for() -> None:
    unknown = FACTS.accounts.with_columns(records=pl.lit(None, dtype=pl.Int64))
    assert not replace(FACTS, accounts=unknown).is_accounted


def test_health_stands_by_source_and_dataset() -> None:
    datasets = [
        replace(FACTS, source=source, dataset=dataset) for source, dataset in (("b", "x"), ("a", "z"), ("a", "y"))
    ]
    assert data_health(datasets).select("source", "dataset").rows() == [("a", "y"), ("a", "z"), ("b", "x")]


def test_health_of_nothing_is_an_empty_report() -> None:
    assert data_health([]).schema == REPORTS["data_health"].schema
