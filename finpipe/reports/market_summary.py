"""One row a session: how the market as a whole did."""

from __future__ import annotations

import polars as pl

from finpipe.reports.rules import new_highs, new_lows
from finpipe.schemas import Column, Table

_KEY = ("session", "instrument_id")
_READ = ("close", "return_1d", "sma_200", "volatility_21", "short_volume_ratio")
_TRADED = ("close", "volume", "currency")

MARKET_SUMMARY = Table(
    name="market_summary",
    description="How many instruments rose, fell and stood at extremes in a session, and the middle of them.",
    columns=(
        Column("session", pl.Date, "Trading date."),
        Column("instruments", pl.UInt32, "Instruments with metrics in the session.", unit="instruments"),
        Column("advancers", pl.UInt32, "Of them, with a return above 0.", unit="instruments"),
        Column("decliners", pl.UInt32, "Of them, with a return below 0.", unit="instruments"),
        Column("unchanged", pl.UInt32, "Of them, with a return of 0.", unit="instruments"),
        Column("median_return", pl.Float64, "Median return over one session.", unit="fraction", is_nullable=True),
        Column("mean_return", pl.Float64, "Mean return, equal weights.", unit="fraction", is_nullable=True),
        Column("new_highs_52w", pl.UInt32, "Closes above all highs of the 251 sessions before.", unit="instruments"),
        Column("new_lows_52w", pl.UInt32, "Closes below all lows of the 251 sessions before.", unit="instruments"),
        Column("share_above_sma_200", pl.Float64, "Of those with an SMA 200, closed above it.", "fraction", True),
        Column(
            "median_volatility_21",
            pl.Float64,
            "Median realised volatility, annualised.",
            unit="fraction",
            is_nullable=True,
        ),
        Column(
            "median_short_volume_ratio", pl.Float64, "Median short-volume ratio.", unit="fraction", is_nullable=True
        ),
        Column("turnover", pl.Float64, "Sum of close times volume.", unit="currency", is_nullable=True),
        Column("currency", pl.String, "Of turnover; both null where bars have several.", is_nullable=True),
    ),
    key=("session",),
)


def market_summary(metrics: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """The summary of every session of `metrics`.

    Args:
        metrics: Daily metrics, any order.
        bars: The current bars they rest on, with factors, any order.

    Returns:
        Rows of `MARKET_SUMMARY`, sorted by session. A median or mean is null where no instrument has a
        value yet; turnover leaves out bars without volume, and is null where bars are in several
        currencies: money of two currencies is not one sum.
    """
    counted = metrics.select(*_KEY, *_READ).sort(_KEY).group_by("session", maintain_order=True).agg(*_breadth())
    traded = bars.select(*_KEY, *_TRADED).sort(_KEY).group_by("session", maintain_order=True).agg(*_turnover())
    extremes = _per_session(new_highs(bars), "new_highs_52w"), _per_session(new_lows(bars), "new_lows_52w")
    for facts in (traded, *extremes):
        counted = counted.join(facts, on="session", how="left", maintain_order="left")
    counted = counted.with_columns(pl.col("new_highs_52w", "new_lows_52w").fill_null(0))
    return counted.select(MARKET_SUMMARY.schema.names()).cast(MARKET_SUMMARY.schema)


def _breadth() -> tuple[pl.Expr, ...]:
    change, above = pl.col("return_1d"), pl.col("close") > pl.col("sma_200")
    return (
        pl.len().alias("instruments"),
        (change > 0).sum().alias("advancers"),
        (change < 0).sum().alias("decliners"),
        (change == 0).sum().alias("unchanged"),
        change.median().alias("median_return"),
        change.mean().alias("mean_return"),
        above.mean().alias("share_above_sma_200"),
        pl.col("volatility_21").median().alias("median_volatility_21"),
        pl.col("short_volume_ratio").median().alias("median_short_volume_ratio"),
    )


def _turnover() -> tuple[pl.Expr, ...]:
    turnover, currency = pl.col("close") * pl.col("volume"), pl.col("currency")
    is_one = currency.n_unique() == 1
    return (
        pl.when(is_one & turnover.is_not_null().any()).then(turnover.sum()).alias("turnover"),
        pl.when(is_one).then(currency.first()).alias("currency"),
    )


def _per_session(found: pl.DataFrame, name: str) -> pl.DataFrame:
    return found.group_by("session").agg(pl.len().alias(name))
