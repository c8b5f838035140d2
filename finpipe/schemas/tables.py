"""The canonical tables of staging, and the table of instruments."""

from __future__ import annotations

import polars as pl

from finpipe.errors import UnknownName
from finpipe.schemas.table import Column, Rule, Table

_PRICES = ("open", "high", "low", "close")


def _at_least_zero(column: str) -> Rule:
    return Rule(f"{column}_not_negative", pl.col(column) >= 0, f"{column} is 0 or more")


BARS = Table(
    name="bars",
    description="Prices and volume of one session, as the provider states them, unadjusted.",
    columns=(
        Column("symbol", pl.String, "Symbol at the source."),
        Column("session", pl.Date, "Trading date at the venue."),
        Column("open", pl.Float64, "First price.", unit="currency"),
        Column("high", pl.Float64, "Highest price.", unit="currency"),
        Column("low", pl.Float64, "Lowest price.", unit="currency"),
        Column("close", pl.Float64, "Last price.", unit="currency"),
        Column("volume", pl.Float64, "Traded volume.", unit="shares", is_nullable=True),
        Column("currency", pl.String, "ISO 4217 code of the prices."),
    ),
    key=("symbol", "session"),
    rules=(
        # Shares cannot trade below zero; a table for spreads and futures will have its own rules.
        *(Rule(f"{price}_positive", pl.col(price) > 0, f"{price} is above 0") for price in _PRICES),
        Rule("high_highest", pl.col("high") >= pl.max_horizontal("open", "low", "close"), "high is the highest"),
        Rule("low_lowest", pl.col("low") <= pl.min_horizontal("open", "high", "close"), "low is the lowest"),
        _at_least_zero("volume"),
    ),
)

CORPORATE_ACTIONS = Table(
    name="corporate_actions",
    description="Splits and cash dividends, effective from the open of their session.",
    columns=(
        Column("symbol", pl.String, "Symbol at the source."),
        Column("session", pl.Date, "Ex-date of a dividend, effective date of a split."),
        Column("kind", pl.String, "cash_dividend or split."),
        Column("amount", pl.Float64, "Cash per share; null for a split.", unit="currency", is_nullable=True),
        Column("currency", pl.String, "ISO 4217 code of the listing's money."),
        Column("ratio", pl.Float64, "New shares per old share; null for a dividend.", is_nullable=True),
    ),
    key=("symbol", "session", "kind"),
    rules=(
        Rule("kind_known", pl.col("kind").is_in(["cash_dividend", "split"]), "kind is known"),
        Rule(
            "dividend_amount",
            (pl.col("kind") != "cash_dividend") | (pl.col("amount").fill_null(0) > 0),
            "a cash dividend has an amount above 0",
        ),
        Rule(
            "split_ratio",
            (pl.col("kind") != "split") | (pl.col("ratio").fill_null(0) > 0),
            "a split has a ratio above 0",
        ),
    ),
)

SHORT_VOLUME = Table(
    name="short_volume",
    description="Volume sold short off exchange in one session, as reported to FINRA.",
    columns=(
        Column("symbol", pl.String, "Symbol at the source."),
        Column("session", pl.Date, "Trading date."),
        Column("short_volume", pl.Float64, "Volume sold short.", unit="shares"),
        Column("short_exempt_volume", pl.Float64, "Of it, exempt from Reg SHO 201.", unit="shares", is_nullable=True),
        Column("total_volume", pl.Float64, "All volume reported.", unit="shares"),
        Column("market", pl.String, "Reporting facilities, a comma list.", is_nullable=True),
    ),
    key=("symbol", "session"),
    rules=(
        *map(_at_least_zero, ("short_volume", "short_exempt_volume", "total_volume")),
        Rule("short_within_total", pl.col("short_volume") <= pl.col("total_volume"), "short is within the total"),
    ),
)

INSTRUMENTS = Table(
    name="instruments",
    description="Which instrument a symbol meant at a venue, and when. Ids are opaque and never renumbered.",
    columns=(
        Column("instrument_id", pl.String, "Opaque id of what is priced."),
        Column("venue", pl.String, "MIC, or the composite code where a source names no venue (US)."),
        Column("symbol", pl.String, "Its symbol there."),
        Column("valid_from", pl.Date, "First session of the mapping; null: always.", is_nullable=True),
        Column("valid_to", pl.Date, "Last session of the mapping; null: still.", is_nullable=True),
        Column("status", pl.String, "provisional until an identifier confirms it."),
    ),
    key=("venue", "symbol", "valid_from"),
)

STAGED = {table.name: table for table in (BARS, CORPORATE_ACTIONS, SHORT_VOLUME)}


def staged_table(name: str) -> Table:
    """The canonical table of that name.

    Raises:
        UnknownName: There is none; lists those there are.
    """
    if name not in STAGED:
        raise UnknownName("table", name, STAGED)
    return STAGED[name]
