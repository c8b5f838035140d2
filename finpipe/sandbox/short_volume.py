"""Short volumes that never were, for every symbol and session: a function of seed, symbol, session and volume."""

from __future__ import annotations

from datetime import date
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

FRACTIONAL_FROM = date(2010, 1, 1)
"""From here on volumes are fractional, six decimals, as in the real files of 2026; before, whole shares."""

_MICRO = 1_000_000
_UNSTATED_VOLUME = 10_000.0

Micros = NDArray[np.int64]


def short_volumes(bars: pl.DataFrame, *, session: date, seed: int) -> pl.DataFrame:
    """Short, short exempt and total volume of one session.

    `bars` has symbol and volume of that session, one row a symbol. A symbol whose volume is null or not
    positive was traded all the same (off the exchange): it gets volumes of its own.

    Returns:
        symbol, short, exempt, total in millionths of a share (Int64), ascending by symbol;
        0 <= short, exempt; short + exempt <= total.
    """
    ordered = bars.sort("symbol")
    traded = pl.when(pl.col("volume") > 0).then("volume").otherwise(_UNSTATED_VOLUME).cast(pl.Float64)
    volume = ordered.select(traded).to_series().to_numpy()
    off_exchange, shorted, exempted = (_uniform(ordered["symbol"], session, seed, draw) for draw in range(3))
    unit = 1 if session >= FRACTIONAL_FROM else _MICRO
    total = _micros(volume * (0.30 + 0.25 * off_exchange), unit)
    # 0.60 + 0.02 at most, each rounded down: the sum cannot pass the total.
    short = _micros(total / _MICRO * (0.25 + 0.35 * shorted), unit)
    exempt = _micros(total / _MICRO * (0.02 * exempted), _MICRO)
    return pl.DataFrame({"symbol": ordered["symbol"], "short": short, "exempt": exempt, "total": total})


def _micros(shares: NDArray[np.float64], unit: int) -> Micros:
    return (shares * (_MICRO // unit)).astype(np.int64) * unit


def _uniform(symbols: pl.Series, session: date, seed: int, draw: int) -> NDArray[np.float64]:
    """One number in [0, 1) per symbol, the same on every machine (polars' own hash may change by version)."""
    names = np.array([crc32(symbol.encode()) for symbol in symbols], dtype=np.uint64)
    salt = np.uint64(crc32(f"{seed}/{session.isoformat()}/{draw}".encode()))
    mixed = names << np.uint64(32) | salt
    # The finaliser of splitmix64 (Steele, Lea & Flood 2014).
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53
