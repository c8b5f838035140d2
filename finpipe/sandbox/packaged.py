"""The real bars shipped with the package: AAPL, FB, GOOG, IBM, MSFT, 2000 to 2013 (origin: data/README.md)."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from finpipe.sandbox.actions import ACTIONS_SCHEMA

DATA = Path(__file__).parent / "data"
ACTIONS_FILE = DATA / "actions.csv"
_NAMES = {
    "Ticker": "symbol",
    "Date": "session",
    "Open": "open",
    "High": "high",
    "Low": "low",
    "Close": "close",
    "Volume": "volume",
    "Adj Close": "adjusted_close",
}


def packaged_bars() -> pl.DataFrame:
    """symbol, session, open, high, low, close, volume, adjusted_close; ascending by symbol and session."""
    bars = pl.read_csv(DATA / "stocks.csv.gz", schema_overrides={"Date": pl.Date}).rename(_NAMES)
    return bars.sort("symbol", "session")


def packaged_actions() -> pl.DataFrame:
    """The splits and dividends of these bars, shaped as `derive_actions` gives them."""
    return pl.read_csv(ACTIONS_FILE, schema=ACTIONS_SCHEMA)
