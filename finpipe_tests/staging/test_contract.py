"""Rows against the contract of their table."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from finpipe.errors import ContractError
from finpipe.schemas import STAGED
from finpipe.staging.contract import VIOLATIONS, contract_of

BAR = {
    "symbol": "IBM",
    "session": date(2013, 3, 1),
    "open": 10.0,
    "high": 12.0,
    "low": 9.0,
    "close": 11.0,
    "volume": 100.0,
    "currency": "USD",
}
SPLIT = {
    "symbol": "IBM",
    "session": date(2013, 3, 1),
    "kind": "split",
    "amount": None,
    "currency": "USD",
    "ratio": 2.0,
}


def rules(table: str, *rows: dict[str, Any]) -> list[list[str]]:
    frame = pl.DataFrame(rows, schema=STAGED[table].schema).with_row_index("row")
    violations = contract_of(table).violations(frame)
    assert violations.schema == VIOLATIONS
    return [violations.filter(row=row)["rule"].sort().to_list() for row in range(len(rows))]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({}, [], id="good"),
        pytest.param({"volume": None}, [], id="volume may be null"),
        pytest.param({"volume": 0.0}, [], id="volume may be zero"),
        pytest.param({"open": None}, ["open|not_null"], id="null: rules that need it pass"),
        pytest.param({"low": 12.0, "open": 12.0, "close": 12.0}, [], id="all equal"),
        pytest.param({"high": 10.5}, ["high_highest"], id="close above high"),
        pytest.param({"low": 10.5}, ["low_lowest"], id="open below low"),
        pytest.param({"low": 0.0}, ["low_positive"], id="zero"),
        pytest.param({"low": -1.0}, ["low_positive"], id="below zero"),
        pytest.param({"volume": -1.0}, ["volume_not_negative"], id="volume below zero"),
        pytest.param({"close": float("nan")}, ["close|nan"], id="NaN"),
        pytest.param({"volume": float("inf")}, ["volume|inf"], id="infinite"),
        pytest.param({"symbol": None}, ["symbol|not_null"], id="no symbol"),
    ],
)
def test_contract_of_bars(change: dict[str, Any], expected: list[str]) -> None:
    found = rules("bars", {**BAR, **change})[0]
    # NaN sorts above every number, so that rules of order may speak as well.
    assert set(expected) <= set(found) if "close|nan" in expected else found == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"ratio": None}, ["split_ratio"]),
        ({"ratio": 0.0}, ["split_ratio"]),
        ({"kind": "cash_dividend"}, ["dividend_amount"]),
        ({"kind": "merger"}, ["kind_known"]),
    ],
)
def test_contract_of_corporate_actions(change: dict[str, Any], expected: list[str]) -> None:
    assert rules("corporate_actions", {**SPLIT, **change}) == [expected]


def test_contract_names_each_bad_row_and_only_those() -> None:
    assert rules("bars", BAR, {**BAR, "high": 11.5, "low": None, "close": 13.0}, BAR) == [
        [],
        ["high_highest", "low|not_null"],
        [],
    ]


def test_contract_takes_no_rows() -> None:
    assert rules("short_volume") == []


@pytest.mark.parametrize(
    "broken",
    [pl.exclude("open"), pl.col("*").cast(pl.String)],
    ids=["missing", "other dtypes"],
)
def test_contract_refuses_other_columns(broken: pl.Expr) -> None:
    frame = pl.DataFrame([BAR]).with_row_index("row").select(broken)
    with pytest.raises(ContractError, match="columns of their table"):
        contract_of("bars").violations(frame)
