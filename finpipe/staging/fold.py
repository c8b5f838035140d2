"""The chain of versions of each key: a pure function of all observations in the order they were received."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from finpipe.schemas import DECLARED, OBSERVED, STAGED, Table
from finpipe.staging.accounting import STANDINGS, Standing

_FACT = ["symbol", "session"]  # what a provider states or restates at once, over all tables
_KNOWN_BEFORE = -1  # number of what was known before every delivery


@dataclass(frozen=True)
class Folded:
    """What observations add to what is known.

    Attributes:
        versions: Table -> number, record, the table's columns, knowledge_time, knowledge_basis,
            is_retracted; ascending by key and number.
        standings: STANDINGS of the observations that say something.
    """

    versions: Mapping[str, pl.DataFrame]
    standings: pl.DataFrame


def fold(observations: Mapping[str, pl.DataFrame], known: Mapping[str, pl.DataFrame], grace: timedelta) -> Folded:
    """Fold observations over what is known.

    A content equal to the one before adds nothing. A fact's first version counts as known when its bytes
    were complete (observed), or from its declared availability when they came later than that plus
    `grace` (declared), unless its symbol and session were known before: then it changed what we knew, as a
    later content does, and counts from its own bytes. An absent fact that was present becomes a retraction.

    Args:
        observations: Of `observe`, each table's; `number` is the order received.
        known: Table -> versions of the same keys, all older than every observation; the latest of each
            key counts. With none, the observations must be all there are.
        grace: Of the dataset's cadence.
    """
    touched = pl.concat(frame.select(_FACT) for frame in observations.values()).unique()
    chains = {
        name: _chain(STAGED[name], _as_observations(known.get(name), touched, frame), frame)
        for name, frame in observations.items()
    }
    first_seen = _first_seen(chains)
    versions = {name: _versions(STAGED[name], chain, first_seen, grace) for name, chain in chains.items()}
    standings = [_unchanged(chain) for chain in chains.values()]
    standings += [frame.select(STANDINGS.names()) for frame in versions.values()]
    return Folded({name: frame.drop("standing") for name, frame in versions.items()}, pl.concat(standings))


def _as_observations(known: pl.DataFrame | None, touched: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
    """The latest known version of each key of what is touched, as if received before all else."""
    if known is None:
        return like.clear()
    return (
        known.join(touched, on=_FACT, how="semi")
        .sort("receipt", "record")
        .with_columns(number=pl.lit(_KNOWN_BEFORE), present=~pl.col("is_retracted"))
        .with_columns(pl.lit(None, dtype=like.schema[name]).alias(name) for name in ("received_at", "available_at"))
        .select(pl.col(name).cast(dtype) for name, dtype in like.schema.items())
    )


def _chain(table: Table, known: pl.DataFrame, observations: pl.DataFrame) -> pl.DataFrame:
    """What is known and observed, by key and order, with is_version: its content differs from the one before."""
    key = list(table.key)
    latest = known.unique(key, keep="last", maintain_order=True)
    present, absent = observations.filter("present"), observations.filter(~pl.col("present"))
    # What is absent and never was present says nothing: in bars with dividends that is nearly every row.
    absent = absent.join(pl.concat([latest, present]), on=key, how="semi")
    chain = pl.concat([latest, present, absent]).sort(*key, "number")
    differs = _differs(*table.values, "present")
    return chain.with_columns(is_version=pl.when(_differs(*key)).then("present").otherwise(differs))


def _differs(*columns: str) -> pl.Expr:
    """Whether a row differs from the one before; true for the first."""
    others = [pl.col(column).ne_missing(pl.col(column).shift()) for column in columns]
    return pl.any_horizontal(*others, pl.int_range(pl.len()) == 0)


def _first_seen(chains: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """From which delivery on anything was known of a symbol and session, in whichever table."""
    known = pl.col("present") | (pl.col("number") == _KNOWN_BEFORE)
    rows = pl.concat(chain.filter(known).select(*_FACT, "number") for chain in chains.values())
    return rows.group_by(_FACT).agg(first_seen=pl.col("number").min())


def _versions(table: Table, chain: pl.DataFrame, first_seen: pl.DataFrame, grace: timedelta) -> pl.DataFrame:
    is_new = _differs(*table.key) & (pl.col("first_seen") == pl.col("number"))
    is_declared = is_new & (pl.col("received_at") > pl.col("available_at") + grace)
    return (
        chain.filter(pl.col("is_version") | (pl.col("number") == _KNOWN_BEFORE))
        .join(first_seen, on=_FACT, how="left", maintain_order="left")
        .with_columns(is_declared=is_declared, standing=_either(is_new, int(Standing.NEW), int(Standing.RESTATED)))
        .filter(pl.col("number") != _KNOWN_BEFORE)
        .select(
            "number",
            "record",
            *table.schema.names(),
            pl.col("standing").cast(pl.Int8),
            knowledge_time=pl.when("is_declared").then("available_at").otherwise("received_at"),
            knowledge_basis=_either(pl.col("is_declared"), DECLARED, OBSERVED),
            is_retracted=~pl.col("present"),
        )
    )


def _either(condition: pl.Expr, then: int | str, otherwise: int | str) -> pl.Expr:
    return pl.when(condition).then(pl.lit(then)).otherwise(pl.lit(otherwise))


def _unchanged(chain: pl.DataFrame) -> pl.DataFrame:
    is_unchanged = pl.col("present") & ~pl.col("is_version") & (pl.col("number") != _KNOWN_BEFORE)
    standing = pl.lit(int(Standing.UNCHANGED), dtype=pl.Int8)
    return chain.filter(is_unchanged).select("number", "record", standing=standing)
