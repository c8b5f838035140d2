"""The world behind the sandbox: the true bars and actions of every instrument, and how they are restated."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from finpipe.sandbox.actions import ACTIONS_SCHEMA, derive_actions
from finpipe.sandbox.bars_file import read_bars
from finpipe.sandbox.options import SandboxOptions
from finpipe.sandbox.packaged import packaged_actions, packaged_bars
from finpipe.sandbox.synthetic import synthetic_exchange

RESTATABLE = ("open", "high", "low", "close", "volume", "dividend", "split")
_KEY = ["symbol", "session"]
_BAR = [*_KEY, "open", "high", "low", "close", "volume"]


class World:
    """What all providers draw on.

    Args:
        bars: symbol, session, open, high, low, close, volume; one row a key, ascending by symbol and session.
        actions: As `derive_actions` gives them.
    """

    def __init__(self, bars: pl.DataFrame, actions: pl.DataFrame) -> None:
        # Short volumes rest on what was traded, not on what a bar is restated to.
        self._traded = bars.select("session", "symbol", "volume")
        # Restated to a fraction or to null, a volume must still fit its column.
        full = bars.select(_BAR).with_columns(pl.col("volume").cast(pl.Float64))
        by_symbol = _with_actions(full, actions).partition_by("symbol", as_dict=True, maintain_order=True)
        self._histories: dict[str, pl.DataFrame] = {str(key[0]): rows for key, rows in by_symbol.items()}
        self.symbols = tuple(self._histories)
        self.sessions: frozenset[date] = frozenset(bars["session"].unique())
        self.first_session, self.last_session = min(self.sessions), max(self.sessions)

    def history(self, symbol: str) -> pl.DataFrame | None:
        """session, open, high, low, close, volume, dividend (0: none), split (1: none); None: unknown symbol."""
        return self._histories.get(symbol)

    def traded_in(self, session: date) -> pl.DataFrame:
        """Symbol and volume of each instrument with a bar in that session."""
        return self._traded.filter(pl.col("session") == session).select("symbol", "volume")

    def restate(self, symbol: str, session: date, field: str, value: float | None) -> bool:
        """From now on serve another value for one field of one bar; False: there is no such bar or field."""
        history = self._histories.get(symbol)
        if history is None or field not in RESTATABLE or session not in history["session"]:
            return False
        restated = pl.when(pl.col("session") == session).then(pl.lit(value, pl.Float64)).otherwise(field)
        self._histories[symbol] = history.with_columns(restated.alias(field))
        return True


def load_world(options: SandboxOptions) -> World:
    """The user's bars, or the real and synthetic instruments. Raises SandboxError for an unusable file."""
    if options.bars is None:
        return _own_world(options)
    bars = read_bars(options.bars)
    actions = derive_actions(bars) if "adjusted_close" in bars.columns else pl.DataFrame(schema=ACTIONS_SCHEMA)
    return World(bars, actions)


def opening_instant(world: World) -> datetime:
    """00:30 UTC after the last session: evening in New York, all of it published."""
    return datetime.combine(world.last_session + timedelta(days=1), time(0, 30), tzinfo=UTC)


def _own_world(options: SandboxOptions) -> World:
    real = packaged_bars().select(_BAR)
    sessions = real["session"].unique().sort()
    listings = synthetic_exchange(options.synthetic, seed=options.seed, sessions=sessions)
    return World(
        pl.concat([real, *(listing.bars for listing in listings)]),
        pl.concat([packaged_actions(), *(listing.actions for listing in listings)]),
    )


def _with_actions(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    per_session = actions.group_by(_KEY).agg(
        dividend=pl.col("amount").sum(), split=pl.col("ratio").drop_nulls().product()
    )
    return bars.join(per_session, on=_KEY, how="left", maintain_order="left").with_columns(
        pl.col("dividend").fill_null(0.0), pl.col("split").fill_null(1.0)
    )
