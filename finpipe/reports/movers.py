"""The largest moves of each session."""

from __future__ import annotations

import polars as pl

from finpipe.reports.rules import mean_before
from finpipe.schemas import Column, Table

_KEY = ("instrument_id", "session")
_TOP = 5
_VOLUME_WINDOW = 20

MOVERS = Table(
    name="movers",
    description="The instruments that rose and fell most in a session.",
    columns=(
        Column("session", pl.Date, "Trading date."),
        Column("direction", pl.String, "up or down."),
        Column("rank", pl.UInt32, "1 for the largest move."),
        Column("instrument_id", pl.String, "Opaque id of what is priced."),
        Column("symbol", pl.String, "Its symbol in the session."),
        Column("close", pl.Float64, "Last price, unadjusted.", unit="currency"),
        Column("currency", pl.String, "ISO 4217 code of the price."),
        Column("return_1d", pl.Float64, "Return since the session before, adjusted.", unit="fraction"),
        Column("volume", pl.Float64, "Traded volume.", unit="shares", is_nullable=True),
        Column(
            "volume_ratio_20",
            pl.Float64,
            "Volume over its mean of the 20 sessions before, restated for splits.",
            unit="ratio",
            is_nullable=True,
        ),
    ),
    key=("session", "direction", "rank"),
)


def movers(metrics: pl.DataFrame, bars: pl.DataFrame, top: int = _TOP) -> pl.DataFrame:
    """The `top` risers and fallers of every session.

    Args:
        metrics: Daily metrics, any order.
        bars: The current bars they rest on, with factors, any order.
        top: Rows a session and direction at most; fewer where fewer rose or fell.

    Returns:
        Rows of `MOVERS`, sorted by session, direction (up first) and rank. Equal returns rank by symbol,
        then instrument. `volume_ratio_20` is null before 20 sessions and where none of them traded.
    """
    moved = metrics.select(*_KEY, "symbol", "close", "return_1d")
    up = _ranked(moved.filter(pl.col("return_1d") > 0), "up", top)
    down = _ranked(moved.filter(pl.col("return_1d") < 0), "down", top)
    rows = pl.concat([up, down]).join(_volumes(bars), on=_KEY, how="inner", maintain_order="left")
    return rows.select(MOVERS.schema.names()).sort("session", pl.col("direction") == "down", "rank")


def _ranked(moved: pl.DataFrame, direction: str, top: int) -> pl.DataFrame:
    ordered = moved.sort("session", pl.col("return_1d").abs() * -1, "symbol", "instrument_id")
    rank = pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).over("session")
    return ordered.with_columns(direction=pl.lit(direction), rank=rank).filter(pl.col("rank") <= top)


def _volumes(bars: pl.DataFrame) -> pl.DataFrame:
    shares = pl.col("volume") / pl.col("split_factor")  # in shares of the first session, so that they compare
    usual = mean_before(shares, window=_VOLUME_WINDOW).over("instrument_id")
    ratio = pl.when(usual > 0).then(shares / usual)
    return bars.sort(_KEY).select(*_KEY, "currency", "volume", volume_ratio_20=ratio)
