from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from finpipe.core import instrument_id, provisional, with_instruments
from finpipe.errors import ContractError
from finpipe.schemas import INSTRUMENTS


def instruments(*rows: tuple[str, str, str, date | None, date | None]) -> pl.DataFrame:
    return pl.DataFrame([(*row, "provisional") for row in rows], schema=INSTRUMENTS.schema, orient="row")


def facts(*rows: tuple[str, date]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"symbol": pl.String, "session": pl.Date}, orient="row")


# One symbol, two owners with a pause between, and a third at another venue.
FB = instruments(
    ("i_old", "US", "FB", None, date(2005, 6, 30)),
    ("i_new", "US", "FB", date(2012, 5, 18), None),
    ("i_far", "XLON", "FB", None, None),
)


def test_instrument_id_stays_what_it_was() -> None:
    assert instrument_id("US", "AAPL") == "i_ronllzo3svm4"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("US", "FB"), ("XLON", "FB"), id="venue"),
        pytest.param(("US", "FB"), ("US", "fb"), id="case"),
        pytest.param(("US", "FB"), ("USF", "B"), id="where the venue ends"),
    ],
)
def test_instrument_id_tells_apart(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert instrument_id(*one) != instrument_id(*other)


def test_provisional_adds_each_unknown_symbol_once() -> None:
    seen = pl.DataFrame({"venue": ["US", "US", "US"], "symbol": ["MSFT", "FB", "MSFT"]})
    added = provisional(seen, FB)
    assert added.rows() == [(instrument_id("US", "MSFT"), "US", "MSFT", None, None, "provisional")]
    assert added.schema == INSTRUMENTS.schema


def test_provisional_adds_nothing_when_repeated() -> None:
    seen = pl.DataFrame({"venue": ["US", "XLON"], "symbol": ["A", "A"]})
    once = provisional(seen, INSTRUMENTS.empty())
    assert provisional(seen, once).is_empty()


def test_provisional_is_the_same_for_symbols_in_any_order() -> None:
    seen = pl.DataFrame({"venue": ["US"] * 4, "symbol": ["C", "A", "D", "B"]})
    assert provisional(seen, INSTRUMENTS.empty()).equals(provisional(seen.reverse(), INSTRUMENTS.empty()))


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        pytest.param(date(1990, 1, 2), "i_old", id="open start"),
        pytest.param(date(2005, 6, 30), "i_old", id="last session"),
        pytest.param(date(2012, 5, 18), "i_new", id="first session"),
        pytest.param(date(2026, 1, 2), "i_new", id="open end"),
    ],
)
def test_symbol_means_the_instrument_of_its_session(session: date, expected: str) -> None:
    assert with_instruments(facts(("FB", session)), FB, "US")["instrument_id"].to_list() == [expected]


def test_symbol_means_another_instrument_at_another_venue() -> None:
    found = with_instruments(facts(("FB", date(2008, 1, 2))), FB, "XLON")
    assert found["instrument_id"].to_list() == ["i_far"]


def test_rows_keep_their_order_and_columns() -> None:
    rows = facts(("FB", date(2013, 1, 3)), ("FB", date(2001, 1, 2)), ("FB", date(2013, 1, 2)))
    found = with_instruments(rows, FB, "US")
    assert found.columns == ["instrument_id", "symbol", "session"]
    assert found.drop("instrument_id").equals(rows)


@pytest.mark.parametrize(
    ("symbol", "session"),
    [
        pytest.param("MSFT", date(2013, 1, 2), id="unknown symbol"),
        pytest.param("FB", date(2008, 1, 2), id="between two validities"),
    ],
)
def test_row_without_an_instrument_is_refused(symbol: str, session: date) -> None:
    rows = facts(("FB", date(2013, 1, 2)), (symbol, session))
    with pytest.raises(ContractError, match=f"1 rows without one, the first {symbol} at US on {session}"):
        with_instruments(rows, FB, "US")


def test_symbol_of_two_instruments_in_one_session_is_refused() -> None:
    both = instruments(
        ("i_1", "US", "FB", None, date(2012, 5, 18)),
        ("i_2", "US", "FB", date(2012, 5, 18), None),
    )
    with pytest.raises(ContractError, match="FB at US means two instruments"):
        with_instruments(facts(("FB", date(2013, 1, 2))), both, "US")
