"""What is worth saying about an instrument in a session, with its evidence."""

from __future__ import annotations

import polars as pl

from finpipe.reports.evidence import with_receipts
from finpipe.reports.rules import new_highs, new_lows, sma_crosses, suspected_splits
from finpipe.schemas import Column, Table

INSIGHTS = Table(
    name="insights",
    description="Statements about an instrument in a session, each with its numbers and receipts.",
    columns=(
        Column("session", pl.Date, "Trading date."),
        Column("kind", pl.String, "Which rule fired."),
        Column("instrument_id", pl.String, "Opaque id of what is priced."),
        Column("symbol", pl.String, "Its symbol in the session."),
        Column("value", pl.Float64, "The number the rule looked at.", unit="unit"),
        Column("threshold", pl.Float64, "What it was compared with.", unit="unit"),
        Column("unit", pl.String, "Of value and threshold: an ISO 4217 code, or ratio."),
        Column("sentence", pl.String, "The statement in words."),
        Column("receipts", pl.List(pl.String), "Of every bar it rests on, each once, sorted."),
    ),
    key=("session", "kind", "instrument_id"),
)


def insights(metrics: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """Every insight of every session.

    Kinds: `new_high_52w`, `new_low_52w`, `sma_cross_up`, `sma_cross_down`, `unadjusted_jump_suspected`;
    what each means stands at its rule. Levels are in the basis of their own session.

    Args:
        metrics: Daily metrics, any order.
        bars: The current bars they rest on, with factors, any order.

    Returns:
        Rows of `INSIGHTS`, sorted by session, kind, symbol, instrument.
    """
    crosses = sma_crosses(metrics)
    said = pl.concat(
        [
            _say(new_highs(bars), "new_high_52w", "{} closed at {}, above {}, the highest of the 251 sessions before"),
            _say(new_lows(bars), "new_low_52w", "{} closed at {}, below {}, the lowest of the 251 sessions before"),
            _say(crosses.filter("is_up"), "sma_cross_up", "{}: SMA 50 of {} rose above SMA 200 of {}"),
            _say(crosses.filter(~pl.col("is_up")), "sma_cross_down", "{}: SMA 50 of {} fell below SMA 200 of {}"),
            _say_split(suspected_splits(bars)),
        ]
    )
    priced = said.join(bars.select("instrument_id", "session", "currency"), on=["instrument_id", "session"])
    rows = priced.with_columns(unit=pl.coalesce("unit", "currency"))
    return with_receipts(rows, bars).select(INSIGHTS.schema.names()).sort("session", "kind", "symbol", "instrument_id")


def _say(found: pl.DataFrame, kind: str, sentence: str) -> pl.DataFrame:
    return _rows(found, kind, pl.format(sentence, "symbol", _short("value"), _short("threshold")), unit=None)


def _say_split(found: pl.DataFrame) -> pl.DataFrame:
    words = "{} closed at {} of its previous close; a split of {} would explain it and none is recorded"
    sentence = pl.format(words, "symbol", _short("value"), "split")
    return _rows(found, "unadjusted_jump_suspected", sentence, unit="ratio")


def _rows(found: pl.DataFrame, kind: str, sentence: pl.Expr, *, unit: str | None) -> pl.DataFrame:
    return found.select(
        pl.col("instrument_id", "session", "symbol", "value", "threshold", "window"),
        kind=pl.lit(kind),
        unit=pl.lit(unit, dtype=pl.String),
        sentence=sentence,
    )


def _short(column: str) -> pl.Expr:
    return pl.col(column).round_sig_figs(6)
