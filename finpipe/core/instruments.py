"""Which instrument a symbol meant, and when."""

from __future__ import annotations

from base64 import b32encode
from datetime import date
from hashlib import sha256

import polars as pl

from finpipe.errors import ContractError
from finpipe.schemas import INSTRUMENTS

PROVISIONAL = "provisional"


def instrument_id(venue: str, symbol: str) -> str:
    """The id an instrument gets when its symbol is first seen at a venue.

    A function of both names, so that a rebuild on any machine gives the same id; opaque, since the symbol
    may pass to another company while the id stays. 60 bits: among a million instruments the chance that
    any two collide is under 1 in a million.
    """
    digest = sha256(f"{venue}\0{symbol}".encode()).digest()
    return "i_" + b32encode(digest)[:12].decode().lower()


def provisional(symbols: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Rows to add to the table of instruments for symbols it does not hold.

    Args:
        symbols: Columns venue and symbol; repeats are welcome.
        known: The table of instruments. A symbol it holds with any validity is known.

    Returns:
        Rows of `INSTRUMENTS` with status provisional, valid always, sorted by venue and symbol.
    """
    pairs = symbols.select("venue", "symbol").unique().join(known, on=["venue", "symbol"], how="anti")
    rows = [(instrument_id(venue, symbol), venue, symbol, None, None, PROVISIONAL) for venue, symbol in pairs.rows()]
    return pl.DataFrame(rows, schema=INSTRUMENTS.schema, orient="row").sort("venue", "symbol")


def with_instruments(frame: pl.DataFrame, instruments: pl.DataFrame, venue: str) -> pl.DataFrame:
    """The rows with `instrument_id` as first column, in the order given.

    Args:
        frame: Columns symbol and session.
        instruments: The table of instruments. `valid_from` and `valid_to` are both included; null is open.
        venue: Where the symbols are listed.

    Raises:
        ContractError: A row has no instrument, or a symbol has two in one session.
    """
    listings = _listings(instruments, venue)
    found = (
        frame.join(listings, on="symbol", how="inner", maintain_order="left")
        .filter(pl.col("session").is_between("_from", "_to"))
        .select("instrument_id", *frame.columns)
    )
    if found.height < frame.height:
        raise _unmapped(frame, found, venue)
    return found


def _listings(instruments: pl.DataFrame, venue: str) -> pl.DataFrame:
    listings = (
        instruments.filter(venue=venue)
        .select(
            "instrument_id",
            "symbol",
            _from=pl.col("valid_from").fill_null(date.min),
            _to=pl.col("valid_to").fill_null(date.max),
        )
        .sort("symbol", "_from", "_to")
    )
    twice = listings.filter(pl.col("_from") <= pl.col("_to").shift(1).over("symbol"))
    if twice.height:
        raise ContractError(f"instruments: {twice['symbol'][0]} at {venue} means two instruments in one session")
    return listings


def _unmapped(frame: pl.DataFrame, found: pl.DataFrame, venue: str) -> ContractError:
    missing = frame.join(found, on=["symbol", "session"], how="anti", maintain_order="left")
    symbol, session = missing.select("symbol", "session").row(0)
    return ContractError(
        f"instruments: {missing.height} rows without one, the first {symbol} at {venue} on {session}. "
        "Add the rows of `provisional`, or widen the validity of the symbol."
    )
