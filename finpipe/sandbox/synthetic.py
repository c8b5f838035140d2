"""A seeded exchange of instruments that never were: daily bars with splits and dividends, unadjusted."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np
import polars as pl
from numpy.typing import NDArray

from finpipe.sandbox.actions import ACTIONS_SCHEMA

_SESSIONS_A_YEAR = 252
_SESSIONS_A_QUARTER = 63
_SPLIT_RATIOS = (2.0, 3.0, 1.5)

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Listing:
    """One instrument: symbol, session, open, high, low, close, volume; actions as `derive_actions` gives them."""

    bars: pl.DataFrame
    actions: pl.DataFrame


def synthetic_symbols(count: int) -> list[str]:
    """SYAA, SYAB ... SYZZ; at most 676."""
    pairs = [f"SY{first}{second}" for first in ascii_uppercase for second in ascii_uppercase]
    return pairs[:count]


def synthetic_exchange(count: int, *, seed: int, sessions: pl.Series) -> list[Listing]:
    """`count` instruments over the given sessions.

    The n-th is a function of seed and n alone, so a larger exchange repeats a smaller one. Every fifth starts
    late, every third pays quarterly dividends, every fourth splits once or twice; prices are unadjusted: a 2:1
    split halves them and a dividend takes its amount off.
    """
    return [_instrument(symbol, n, seed, sessions) for n, symbol in enumerate(synthetic_symbols(count))]


def _instrument(symbol: str, number: int, seed: int, sessions: pl.Series) -> Listing:
    random = np.random.default_rng([seed, number])
    start = int(len(sessions) * random.uniform(0.1, 0.6)) if (number + 1) % 5 == 0 else 0
    listed = sessions.slice(start)
    count = len(listed)
    splits = _splits(random, count) if number % 4 == 1 else np.ones(count)
    paid = _dividend_yields(random, count) if number % 3 == 0 else np.zeros(count)
    paid[splits != 1] = 0
    volatility = random.uniform(0.15, 0.40) / np.sqrt(_SESSIONS_A_YEAR)
    returns = random.normal(0.07 / _SESSIONS_A_YEAR, volatility, count)
    # An event moves the price between yesterday's close and today's open.
    growth = np.exp(returns) * (1 - paid) / splits
    exact = random.uniform(20, 120) * np.cumprod(growth)
    before = np.concatenate([exact[:1], exact[:-1]])
    bars = _bars(random, exact, before * (1 - paid) / splits, volatility)
    volume = np.exp(random.normal(random.uniform(11, 15), 0.4, count)) * np.cumprod(splits)
    return Listing(
        bars=pl.DataFrame({"symbol": symbol, "session": listed, **bars, "volume": volume.astype(np.int64)}),
        actions=_actions(symbol, listed, np.round(before * paid, 2), splits),
    )


def _splits(random: np.random.Generator, count: int) -> Floats:
    splits = np.ones(count)
    last = max(2, count)
    for at in random.integers(1, last, size=int(random.integers(1, 3))):
        splits[min(at, count - 1)] = random.choice(_SPLIT_RATIOS)
    return splits


def _dividend_yields(random: np.random.Generator, count: int) -> Floats:
    paid = np.zeros(count)
    first = int(random.integers(1, _SESSIONS_A_QUARTER))
    paid[first::_SESSIONS_A_QUARTER] = random.uniform(0.01, 0.03) / 4
    return paid


def _bars(random: np.random.Generator, exact: Floats, reference: Floats, volatility: float) -> dict[str, Floats]:
    """Open, high, low and close in whole cents, consistent after rounding."""
    count = len(exact)
    opened = reference * np.exp(random.normal(0, 0.3 * volatility, count))
    reach = np.abs(random.normal(0, 0.5 * volatility, (2, count)))
    high = np.maximum(opened, exact) * np.exp(reach[0])
    low = np.minimum(opened, exact) * np.exp(-reach[1])
    named = {"open": opened, "high": high, "low": low, "close": exact}
    return {name: np.maximum(np.round(prices, 2), 0.01) for name, prices in named.items()}


def _actions(symbol: str, sessions: pl.Series, amounts: Floats, splits: Floats) -> pl.DataFrame:
    rows = pl.DataFrame({"symbol": symbol, "session": sessions, "amount": amounts, "ratio": splits})
    dividends = rows.filter(pl.col("amount") > 0).with_columns(
        kind=pl.lit("cash_dividend"), ratio=pl.lit(None, dtype=pl.Float64)
    )
    split = rows.filter(pl.col("ratio") != 1).with_columns(kind=pl.lit("split"), amount=pl.lit(None, dtype=pl.Float64))
    return pl.concat([dividends, split]).select(ACTIONS_SCHEMA.names())
