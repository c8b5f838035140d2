"""Adjusted prices that others published. The longer series are read where the recorded data is beside us."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from finpipe.core import adjusted, unusable_actions

PRICES = Path(__file__).resolve().parents[3] / "shared" / "data" / "prices"
USD = pl.lit("USD").alias("currency")
NONE = pl.lit(None, dtype=pl.Float64)


@dataclass(frozen=True)
class Published:
    """A series and what a vendor made of it."""

    bars: pl.DataFrame  # and `published`: the adjusted close, in whatever basis
    actions: pl.DataFrame
    tolerance: float  # relative


def dividends(events: pl.DataFrame, amount: pl.Expr) -> pl.DataFrame:
    kind = pl.lit("cash_dividend")
    return events.select("instrument_id", "session", USD, kind=kind, amount=amount, ratio=NONE).drop_nulls("amount")


def splits(events: pl.DataFrame, ratio: pl.Expr) -> pl.DataFrame:
    kind = pl.lit("split")
    return events.select("instrument_id", "session", USD, kind=kind, amount=NONE, ratio=ratio).drop_nulls("ratio")


def lean_apple_2014() -> Published:
    """Rows of Lean's factor file for AAPL, with what Apple paid or split on the day after each."""
    rows = [
        ("2014-05-07", 592.33, 0.8961764 * 0.0357143, 3.29, None),
        ("2014-06-06", 645.57, 0.9011818 * 0.0357143, None, 7.0),
        ("2014-08-06", 94.97, 0.9011818 * 0.25, 0.47, None),
        ("2014-11-05", 108.86, 0.9056639 * 0.25, 0.47, None),
        ("2015-02-04", 119.56, 0.9095911 * 0.25, 0.47, None),
    ]
    file = pl.DataFrame(rows, schema=["session", "close", "factor", "paid", "ratio"], orient="row").with_columns(
        pl.col("session").str.to_date(), USD, instrument_id=pl.lit("AAPL"), volume=pl.lit(1.0)
    )
    bars = file.with_columns(published=pl.col("close") * pl.col("factor"))
    events = file.with_columns(pl.col("session").dt.offset_by("1d"))
    actions = pl.concat([dividends(events, pl.col("paid")), splits(events, pl.col("ratio"))])
    return Published(bars, actions, tolerance=2e-6)  # the split factor of the file has six digits


def lean_23_years(symbol: str) -> Published:
    """Lean's unadjusted bars 1998 to 2021, and its factor file; amounts rounded to what was paid."""
    columns = {"session": pl.String, "price": pl.Float64, "split": pl.Float64, "close": pl.Float64}
    file = pl.read_csv(PRICES / f"lean_factor_files_{symbol.lower()}.csv", has_header=False, schema=columns)
    file = file.with_columns(pl.col("session").str.to_date("%Y%m%d"), instrument_id=pl.lit(symbol))
    bars = pl.read_parquet(PRICES / "lean_daily_unadjusted.parquet").filter(symbol=symbol)
    bars = bars.rename({"symbol": "instrument_id", "date": "session"}).with_columns(USD).sort("session")
    # A row of the file holds up to and on its session; the first one is no event.
    factor = file.select("session", factor=pl.col("price") * pl.col("split"))
    bars = bars.join_asof(factor, on="session", strategy="forward")
    paid = ((1 - pl.col("price") / pl.col("price").shift(-1)) * pl.col("close")).round(3)
    ratio = (pl.col("split").shift(-1) / pl.col("split")).round(3)
    events = file.with_columns(paid=paid, ratio=ratio, session=pl.col("session").dt.offset_by("1d"))[1:]
    events = events.filter(pl.col("session") <= bars["session"].max())
    actions = pl.concat(
        [
            dividends(events.filter(pl.col("paid") > 0), pl.col("paid")),
            splits(events.filter(pl.col("ratio") != 1), pl.col("ratio")),
        ]
    )
    bars = bars.with_columns(published=pl.col("close") * pl.col("factor"))
    return Published(bars, actions, tolerance=1e-5)  # SPY pays hundredths of a cent


def wiki_3_years() -> Published:
    """Quandl WIKI 2015 to 2017: five symbols, 23 dividends, reinvested at the close of the ex-session."""
    wiki = pl.read_csv(PRICES / "wiki_adjusted_2015_2017.csv", try_parse_dates=True)
    rows = wiki.select(
        USD, instrument_id="Stock", session="Date", close="Close", volume="Volume", published="AdjClose",
        paid="ExDividend",
    ).sort("instrument_id", "session")  # fmt: skip
    actions = dividends(rows.filter(pl.col("paid") > 0), pl.col("paid"))
    return Published(rows, actions, tolerance=2e-4)


def wiki_13_years(symbol: str, split_on: list[str], tolerance: float = 5e-4) -> Published:
    """Quandl WIKI 2000 to 2013: what its series holds beyond the splits is a dividend, paid in cents."""
    wiki = pl.read_csv(PRICES / "wiki_5_symbols_2000_2013.csv", try_parse_dates=True).filter(Ticker=symbol)
    bars = wiki.select(
        USD, instrument_id="Ticker", session="Date", close="Close", volume="Volume", published="Adj Close"
    ).sort("session")  # fmt: skip
    doubled = splits(bars.filter(pl.col("session").cast(pl.String).is_in(split_on)), pl.lit(2.0))
    split_only = adjusted(bars, doubled, "splits")["close"]
    added = bars["published"] / bars["published"].shift(1) / (split_only / split_only.shift(1)) - 1
    paid = bars.with_columns(paid=(added * bars["close"]).round(2)).filter(pl.col("paid") >= 0.01)
    return Published(bars, pl.concat([doubled, dividends(paid, pl.col("paid"))]), tolerance)


RECORDED: dict[str, Callable[[], Published]] = {
    **{f"Lean {symbol}": partial(lean_23_years, symbol) for symbol in ("AAPL", "IBM", "SPY")},
    "WIKI 2015-2017": wiki_3_years,
    "WIKI AAPL": partial(wiki_13_years, "AAPL", ["2000-06-21", "2005-02-28"]),
    # On 2004-11-15 Microsoft paid a tenth of its price, and the price moved on: 1 + a/c and 1/(1 - a/p) part.
    "WIKI MSFT": partial(wiki_13_years, "MSFT", ["2003-02-18"], 2.5e-3),
    "WIKI IBM": partial(wiki_13_years, "IBM", []),
    "WIKI GOOG": partial(wiki_13_years, "GOOG", []),
}
SERIES = {"Lean AAPL 2014": lean_apple_2014, **(RECORDED if PRICES.is_dir() else {})}


@pytest.mark.parametrize("name", SERIES)
def test_adjusted_closes_are_those_published(name: str) -> None:
    series = SERIES[name]()
    found = adjusted(series.bars, series.actions, "splits_dividends")
    in_their_basis = pl.col("published") * (pl.col("close") / pl.col("published")).last().over("instrument_id")
    error = found.select((pl.col("close") / in_their_basis - 1).abs())["close"]
    assert unusable_actions(series.bars, series.actions).is_empty()
    assert error.null_count() == 0
    assert error.is_between(0, series.tolerance).all(), error.max()
