"""Events read out of an adjusted close, and the adjusted close computed back from them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from finpipe.sandbox.actions import adjusted_close, derive_actions
from finpipe.sandbox.derive_actions import actions_csv
from finpipe.sandbox.packaged import ACTIONS_FILE, packaged_actions, packaged_bars
from finpipe.sandbox.world import World

MEASURED_TOLERANCE = 1e-12
"""Relative; the largest difference measured over the 12,154 packaged bars is 6.8e-14."""

HERE = Path(__file__).parent
# Quandl WIKI (public domain): vendor-adjusted closes with the dividends stated beside them; here a few rows,
# in the recorded data five symbols over three years.
RECORDED = HERE.parents[1].parent / "shared" / "data" / "prices" / "wiki_adjusted_2015_2017.csv"
BEFORE = 1 - 0.5 / 52.0  # a dividend of 0.50 after a close of 52.00
WORKED = pl.DataFrame(
    {
        "Stock": "OWN",
        "Date": ["2017-08-07", "2017-08-08", "2017-08-09", "2017-08-10"],
        "Close": [50.0, 52.0, 51.5, 53.0],
        "ExDividend": [0.0, 0.0, 0.5, 0.0],
        "AdjClose": [50.0 * BEFORE, 52.0 * BEFORE, 51.5, 53.0],
    }
)
VENDORS = {"worked by hand": WORKED} | ({RECORDED.name: pl.read_csv(RECORDED)} if RECORDED.exists() else {})


def bars_of(closes: list[float | None], adjusted: list[float | None], symbol: str = "AAA") -> pl.DataFrame:
    sessions = [date(2013, 1, 1) + timedelta(days=day) for day in range(len(closes))]
    return pl.DataFrame(
        {"symbol": symbol, "session": sessions, "close": closes, "adjusted_close": adjusted},
        schema_overrides={"close": pl.Float64, "adjusted_close": pl.Float64},
    )


def events_of(bars: pl.DataFrame) -> list[tuple[object, ...]]:
    return derive_actions(bars).select(pl.col("session").dt.day(), "kind", "amount", "ratio").rows()


def test_committed_actions_are_what_the_command_derives() -> None:
    assert ACTIONS_FILE.read_text() == actions_csv()


def test_packaged_splits_are_the_three_that_took_place() -> None:
    splits = packaged_actions().filter(pl.col("kind") == "split").select("symbol", "session", "ratio")
    assert splits.rows() == [
        ("AAPL", date(2000, 6, 21), 2.0),
        ("AAPL", date(2005, 2, 28), 2.0),
        ("MSFT", date(2003, 2, 18), 2.0),
    ]


@pytest.mark.parametrize(
    ("symbol", "ex_date", "amount"),
    [
        # apple.com investor relations, dividend history: 2.65 a quarter before the split of 2014
        ("AAPL", date(2012, 8, 9), 2.65),
        # microsoft.com investor relations: the special dividend of 3.00 beside the quarter's 0.08
        ("MSFT", date(2004, 11, 15), 3.08),
        # ibm.com investor relations: 0.85 a quarter from 2012
        ("IBM", date(2013, 2, 6), 0.85),
    ],
)
def test_packaged_dividend_is_the_one_declared(symbol: str, ex_date: date, amount: float) -> None:
    found = packaged_actions().filter((pl.col("symbol") == symbol) & (pl.col("session") == ex_date))
    assert found["amount"].to_list() == [amount]


def test_packaged_dividends_are_whole_cents() -> None:
    amounts = packaged_actions()["amount"].drop_nulls()
    assert len(amounts) == 92
    assert (amounts == amounts.round(2)).all()


def test_packaged_actions_give_back_the_adjusted_close() -> None:
    bars = packaged_bars()
    world = World(bars, packaged_actions())
    for symbol in world.symbols:
        history = world.history(symbol)
        assert history is not None
        original = bars.filter(pl.col("symbol") == symbol)["adjusted_close"]
        # The original is in the basis of 2018: only its course can be compared.
        original *= history["close"][-1] / original[-1]
        computed = history.select(adjusted_close(pl.col("close"), pl.col("dividend"), pl.col("split"))).to_series()
        assert ((computed / original - 1).abs() < MEASURED_TOLERANCE).all(), symbol


@pytest.mark.parametrize(
    ("closes", "adjusted", "expected"),
    [
        pytest.param([100, 50, 51], [50, 50, 51], [(2, "split", None, 2.0)], id="2:1"),
        pytest.param([90, 60, 61], [60, 60, 61], [(2, "split", None, 1.5)], id="3:2"),
        pytest.param([1, 10, 11], [10, 10, 11], [(2, "split", None, 0.1)], id="reverse 1:10"),
        pytest.param(
            [100, 98.7, 98.9], [100 / (1 + 1 / 98.7), 98.7, 98.9], [(2, "cash_dividend", 1.0, None)], id="ex-date close"
        ),
        pytest.param([100, 97.37, 97.5], [99, 97.37, 97.5], [(2, "cash_dividend", 1.0, None)], id="previous close"),
        pytest.param([100, None, 50], [50, None, 50], [(3, "split", None, 2.0)], id="null on the day before"),
        pytest.param([100, 0, 50], [50, 0, 50], [(3, "split", None, 2.0)], id="zero close"),
        pytest.param([100, 101, 102], [50, 50.5, 51], [], id="constant factor"),
        pytest.param([3.1, 3.2, 3.3], [1.03, 1.07, 1.1], [], id="rounded to cents"),
        pytest.param([100, 100, 100], [100, 99.7, 99.7], [], id="factor falls by no fraction"),
    ],
)
def test_derive_actions(
    closes: list[float | None], adjusted: list[float | None], expected: list[tuple[object, ...]]
) -> None:
    assert events_of(bars_of(closes, adjusted)) == expected


def test_derive_actions_takes_no_step_between_two_symbols() -> None:
    bars = pl.concat([bars_of([100.0, 100.0], [10.0, 10.0]), bars_of([50.0, 50.0], [50.0, 50.0], "BBB")])
    assert events_of(bars) == []


def test_adjusted_close_passes_over_nulls() -> None:
    frame = pl.DataFrame({"close": [10.0, None, 0.0, 5.0], "dividend": [0.0, 1.0, 1.0, 0.0], "split": [1.0, 1, 1, 2]})
    adjusted = frame.select(adjusted_close(pl.col("close"), pl.col("dividend"), pl.col("split"))).to_series()
    assert adjusted.to_list() == [5.0, None, 0.0, 5.0]


@pytest.mark.parametrize("stated", VENDORS.values(), ids=VENDORS)
def test_derive_actions_finds_a_vendors_stated_dividends(stated: pl.DataFrame) -> None:
    bars = stated.select(
        symbol="Stock", session=pl.col("Date").str.to_date(), close="Close", adjusted_close="AdjClose"
    ).sort("symbol", "session")
    expected = stated.filter(pl.col("ExDividend") > 0).sort("Stock", "Date")["ExDividend"].to_list()
    derived = derive_actions(bars)
    assert derived["kind"].unique().to_list() == ["cash_dividend"]
    assert derived["amount"].to_list() == pytest.approx(expected, abs=1e-4)
