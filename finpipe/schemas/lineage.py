"""The columns every stored row carries beside its facts: where it came from and from when it could be used."""

from __future__ import annotations

import polars as pl

from finpipe.schemas.table import Column

OBSERVED = "observed"  # knowledge_time is when its bytes were complete here
DECLARED = "declared"  # knowledge_time is the declared availability: history first received later

_INSTANT = pl.Datetime("us", "UTC")

CORE_LINEAGE = (
    Column("source", pl.String, "Source the row came from."),
    Column("receipt", pl.String, "Receipt of the answer that held it; sorts by time received."),
    Column("knowledge_time", _INSTANT, "From when the row could be used.", unit="UTC"),
    Column("knowledge_basis", pl.String, "What knowledge_time rests on: observed or declared."),
    Column("is_retracted", pl.Boolean, "The source took the fact back; its values are null."),
)

LINEAGE = (
    *CORE_LINEAGE[:2],
    Column("record", pl.Int32, "Index of the record within its raw object, from 0."),
    *CORE_LINEAGE[2:],
)
