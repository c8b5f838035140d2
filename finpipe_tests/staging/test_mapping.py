"""The provider's fields to canonical columns."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finpipe.sources.spec import Dataset
from finpipe.staging.mapping import MISSING, Mapped, mapped, texts_of

COLUMNS = {
    "symbol": "s",
    "session": "d",
    "open": "o",
    "high": "o",
    "low": "o",
    "close": ["c", "last"],
    "currency": "=EUR",
}


def dataset(
    columns: dict[str, Any] | None = None, table: str = "bars", when: str | None = None, **response: Any
) -> Dataset:
    mapping = {"table": table, "columns": columns or COLUMNS, **({"when": when} if when else {})}
    return Dataset.model_validate(
        {
            "name": "daily",
            "cadence": {"calendar": "XNYS", "available": "T+0 18:00", "timezone": "UTC"},
            "span": "window",
            "endpoint": {"path": "/"},
            "response": {"format": "json", "tables": [mapping], **response},
        }
    )


def mapping_of(of: Dataset, *records: dict[str, Any]) -> Mapped:
    index = pl.DataFrame({"number": [0] * len(records), "record": range(len(records))})
    frame = index.cast(pl.Int32).hstack(texts_of(of, records))
    return mapped(of, of.response.tables[0], frame, 0)


def value(text: Any, column: str = "open") -> tuple[Any, list[str]]:
    record = {
        "s": "A",
        "d": "2013-03-01",
        "o": "1",
        "c": "1",
        {"open": "o", "session": "d", "symbol": "s"}[column]: text,
    }
    found = mapping_of(dataset(), record)
    return found.rows[column].item(), found.violations.filter(pl.col("rule").str.ends_with(column))["rule"].to_list()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-2e-3", -0.002),
        ("+1", 1.0),
        ("0.0000", 0.0),
        (1, 1.0),
        (0.1, 0.1),
        (10**25, 1e25),
    ],
)
def test_mapping_reads_numbers(text: Any, expected: float) -> None:
    assert value(text) == (expected, [])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_mapping_reads_every_float_as_written(number: float) -> None:
    assert value(repr(number))[0] == number


@pytest.mark.parametrize("text", [None, *MISSING])
def test_mapping_takes_marks_of_a_missing_number_for_null(text: str | None) -> None:
    assert value(text) == (None, [])


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "inf",
        "-Infinity",
        "1e999",
        "1,000",
        "1 000",
        " 1",
        "1\n",
        "0x10",
        "1d",
        "\u0661",
        "abc",
        "\0",
        True,
        [1],
        {"a": 1},
    ],
)
def test_mapping_does_not_guess_numbers(text: Any) -> None:
    assert value(text) == (None, ["parse_failed:open"])


@pytest.mark.parametrize(
    "text", ["2013-3-1", "2013-02-30", "20130301", "2013-03-01 00:00:00", "13-03-01", "+2013-03-01", 20130301]
)
def test_mapping_does_not_guess_dates(text: Any) -> None:
    assert value(text, "session") == (None, ["parse_failed:session"])


@pytest.mark.parametrize("text", ["2013031", "20130230", "2013-03-01", "020130301"])
def test_mapping_wants_a_date_in_the_declared_form(text: str) -> None:
    found = mapping_of(dataset(date_format="%Y%m%d"), {"d": text})
    assert found.violations["rule"].to_list() == ["parse_failed:session"]


@pytest.mark.parametrize("text", ["NA", "None", "null", "-", "BRK/B", "BF.B", "\u00c5"])
def test_mapping_takes_any_word_for_a_symbol(text: str) -> None:
    assert value(text, "symbol") == (text, [])


@pytest.mark.parametrize("text", ["A\0", "A\nB", "A\ufffd", "\x7f", True, {"a": 1}, ["A"]])
def test_mapping_refuses_unreadable_words(text: Any) -> None:
    assert value(text, "symbol") == (None, ["parse_failed:symbol"])


def test_mapping_fills_literals_and_takes_the_first_alternative_that_is_there() -> None:
    records: list[dict[str, Any]] = [{"c": "1", "last": "2"}, {"last": "2"}, {"c": None, "last": "3"}, {}]
    rows = mapping_of(dataset(), *records).rows
    assert rows["close"].to_list() == [1.0, 2.0, 3.0, None]
    assert rows["currency"].unique().to_list() == ["EUR"]


def test_mapping_takes_unmapped_columns_from_the_key_the_request_and_the_dataset() -> None:
    prices = dict.fromkeys(("open", "high", "low", "close"), "o")
    of = dataset(prices, records={"path": "$", "key_as": "session"}, echo={"symbol": "$.s"})
    frame = texts_of(of, [{"o": "1", "session": "2013-03-01"}]).with_columns(
        pl.lit(0).alias("number"), pl.lit(0).alias("record"), pl.lit("IBM").alias("given:symbol")
    )
    row = mapped(of, of.response.tables[0], frame, 7).rows.row(0, named=True)
    assert (row["row"], row["symbol"], row["session"], row["currency"]) == (7, "IBM", date(2013, 3, 1), "USD")
    assert row["volume"] is None


ACTION = {"symbol": "s", "session": "d", "kind": "k", "amount": "7. dividend amount", "ratio": "r"}


@pytest.mark.parametrize(
    ("when", "record", "present", "amount", "rules"),
    [
        pytest.param("amount > 0", {"7. dividend amount": "0.5"}, True, 0.5, [], id="holds"),
        pytest.param("dividend > 0", {"7. dividend amount": "0.5"}, True, 0.5, [], id="by a word of the field"),
        pytest.param("amount > 0", {"7. dividend amount": "0.0"}, False, None, [], id="does not hold"),
        pytest.param("amount > 0", {}, False, None, ["amount|not_null"], id="says nothing"),
        pytest.param("amount > 0", {"7. dividend amount": "x"}, False, None, ["parse_failed:amount"], id="unreadable"),
        pytest.param("ratio != 1", {"r": "1.0000", "7. dividend amount": "x"}, False, None, [], id="others unread"),
        pytest.param("kind == 'split'", {"7. dividend amount": "1"}, True, 1.0, [], id="a word"),
        pytest.param("kind != 'split'", {}, False, None, [], id="not the word"),
    ],
)
def test_mapping_of_a_conditional_table(
    when: str, record: dict[str, Any], *, present: bool, amount: float | None, rules: list[str]
) -> None:
    of = dataset(ACTION, table="corporate_actions", when=when)
    found = mapping_of(of, {"s": "A", "d": "2013-03-01", "k": "split", **record})
    row = found.rows.row(0, named=True)
    assert (row["symbol"], row["kind"], row["present"], row["amount"]) == ("A", "split", present, amount)
    assert found.violations["rule"].to_list() == rules


def test_mapping_of_no_records() -> None:
    found = mapping_of(dataset())
    assert found.rows.is_empty()
    assert found.violations.is_empty()
