"""What was known at an instant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import polars as pl

Basis = Literal["declared", "observed"]

_RECEIVED_AT = "%Y%m%dT%H%M%S%fZ"  # how a receipt id begins
_RECEIVED_AT_LENGTH = 22


def as_of(
    frame: pl.DataFrame, key: Sequence[str], t: datetime | None = None, *, basis: Basis = "declared"
) -> pl.DataFrame:
    """The facts that stood at an instant: one row per key, sorted by key.

    Of each source the last version known by then stands, and where it was retracted the source says
    nothing. Where several sources state a key, the one whose name sorts first is taken.

    Args:
        frame: Versions: the key, source, receipt, knowledge_time and is_retracted; any order.
        key: Columns that name a fact, e.g. instrument_id and session.
        t: The instant, included; aware. None: everything in the frame is known.
        basis: `declared` goes by `knowledge_time`: history that was received late counts as known since
            its declared availability, which is what a backtest needs. `observed` goes by the receipt:
            only what had been received here by then, which is what an audit needs.

    Raises:
        ValueError: `t` has no time zone.
    """
    known = frame if t is None else frame.filter(_known_by(t, basis))
    order = ("receipt",) if basis == "observed" else ("knowledge_time", "receipt")
    return (
        known.sort(*key, "source", *order)
        .unique([*key, "source"], keep="last", maintain_order=True)
        .filter(~pl.col("is_retracted"))
        .unique(key, keep="first", maintain_order=True)
    )


def _known_by(t: datetime, basis: Basis) -> pl.Expr:
    if t.tzinfo is None:
        raise ValueError(f"as_of needs an instant with a time zone, not {t.isoformat()}")
    if basis == "declared":
        return pl.col("knowledge_time") <= t
    # Ids sort by time received, so comparing their beginnings compares instants.
    return pl.col("receipt").str.head(_RECEIVED_AT_LENGTH) <= t.astimezone(UTC).strftime(_RECEIVED_AT)
