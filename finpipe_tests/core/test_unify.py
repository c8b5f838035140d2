from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finpipe.core import as_of, core_table, instrument_id, provisional, unify
from finpipe.errors import ContractError
from finpipe.schemas import CORPORATE_ACTIONS, INSTRUMENTS, LINEAGE, SHORT_VOLUME, Table

EARLY, LATE = datetime(2013, 1, 2, 23, tzinfo=UTC), datetime(2013, 1, 3, 23, tzinfo=UTC)
KNOWN = provisional(pl.DataFrame({"venue": ["US", "US"], "symbol": ["AAPL", "IBM"]}), INSTRUMENTS.empty())


def staged(table: Table, *rows: dict[str, object]) -> pl.DataFrame:
    usual = {"source": "finra", "receipt": "r1", "record": 0, "knowledge_time": EARLY, "is_retracted": False}
    schema = {**table.schema, **{column.name: column.dtype for column in LINEAGE}}
    return pl.DataFrame([{"knowledge_basis": "observed", **usual, **row} for row in rows], schema=schema)


def short(symbol: str, volume: float, **lineage: object) -> dict[str, object]:
    facts = {"session": date(2013, 1, 2), "short_volume": volume, "total_volume": 100.0}
    return {"symbol": symbol, **facts, **lineage}


def test_versions_of_one_fact_all_stand_in_the_order_they_became_known() -> None:
    rows = staged(
        SHORT_VOLUME,
        short("AAPL", 2.0, knowledge_time=LATE, receipt="r2"),
        short("AAPL", 1.0),
    )
    assert unify(SHORT_VOLUME, rows, KNOWN, "US")["short_volume"].to_list() == [1.0, 2.0]


def test_last_record_stands_when_one_receipt_states_a_key_twice() -> None:
    rows = staged(SHORT_VOLUME, short("AAPL", 2.0, record=1), short("AAPL", 1.0, record=0))
    assert unify(SHORT_VOLUME, rows, KNOWN, "US")["short_volume"].to_list() == [2.0]


def test_dividend_and_split_of_one_session_are_two_facts() -> None:
    action = {"symbol": "AAPL", "session": date(2005, 2, 28), "currency": "USD"}
    rows = staged(
        CORPORATE_ACTIONS,
        {**action, "kind": "split", "ratio": 2.0},
        {**action, "kind": "cash_dividend", "amount": 0.5},
    )
    assert unify(CORPORATE_ACTIONS, rows, KNOWN, "US")["kind"].to_list() == ["cash_dividend", "split"]


def test_unify_refuses_a_symbol_without_an_instrument() -> None:
    with pytest.raises(ContractError, match="MSFT"):
        unify(SHORT_VOLUME, staged(SHORT_VOLUME, short("MSFT", 1.0)), KNOWN, "US")


def test_unify_of_nothing_is_the_empty_core_table() -> None:
    assert unify(SHORT_VOLUME, staged(SHORT_VOLUME), KNOWN, "US").equals(core_table(SHORT_VOLUME).empty())


def test_core_table_is_keyed_by_instrument() -> None:
    assert core_table(CORPORATE_ACTIONS).key == ("instrument_id", "session", "kind")
    assert "record" not in core_table(CORPORATE_ACTIONS).schema


_versions = st.lists(
    st.tuples(
        st.sampled_from(["AAPL", "IBM"]), st.sampled_from([EARLY, LATE]), st.sampled_from("abc"), st.integers(0, 2)
    ),
    unique=True,
    max_size=12,
)


@given(_versions, st.randoms(use_true_random=False))
def test_unify_is_the_same_for_rows_in_any_order(versions: list[tuple[str, datetime, str, int]], order: object) -> None:
    rows = [
        short(symbol, float(i), knowledge_time=time, receipt=receipt, record=record)
        for i, (symbol, time, receipt, record) in enumerate(versions)
    ]
    core = unify(SHORT_VOLUME, staged(SHORT_VOLUME, *rows), KNOWN, "US")
    order.shuffle(rows)  # type: ignore[attr-defined]  # hypothesis types its randoms as object
    shuffled = unify(SHORT_VOLUME, staged(SHORT_VOLUME, *rows), KNOWN, "US")
    assert core.equals(shuffled)
    assert core.schema == core_table(SHORT_VOLUME).schema
    assert set(core["instrument_id"]) == {instrument_id("US", symbol) for symbol, *_ in versions}
    assert as_of(core, ["instrument_id", "session"]).height == core["instrument_id"].n_unique()
