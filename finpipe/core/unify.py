"""From what each source staged to versions of facts about instruments."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from finpipe.core.instruments import with_instruments
from finpipe.schemas import CORE_LINEAGE, Column, Table

_INSTRUMENT = Column("instrument_id", pl.String, "Opaque id of what is priced.")
_VERSION = ("knowledge_time", "receipt")


def core_table(table: Table) -> Table:
    """The core table of a canonical one: by instrument, with lineage; the symbol becomes a value.

    A row is a version: key, source, knowledge_time and receipt together are unique.
    """
    key = ("instrument_id", *(name for name in table.key if name != "symbol"))
    return replace(table, columns=(_INSTRUMENT, *table.columns, *CORE_LINEAGE), key=key)


def unify(table: Table, staged: pl.DataFrame, instruments: pl.DataFrame, venue: str) -> pl.DataFrame:
    """Every version a source stated, by instrument.

    No version is left out and no source preferred: several may state the same fact, and `as_of` picks.
    Only where one receipt states a key more than once does its last record stand: both could be used from
    the same instant, so that no reader can ever have seen the other.

    Args:
        table: The canonical table the rows belong to.
        staged: Its columns and `LINEAGE`; one source, any order.
        instruments: The table of instruments; it must know every symbol of `staged`.
        venue: Where that source's symbols are listed.

    Returns:
        Rows of `core_table(table)`, sorted by key, knowledge_time, receipt.

    Raises:
        ContractError: A row has no instrument, or a symbol has two in one session.
    """
    core = core_table(table)
    versions = [*core.key, *_VERSION]
    return (
        with_instruments(staged, instruments, venue)
        .sort(*versions, "record")
        .unique(versions, keep="last", maintain_order=True)
        .select(core.schema.names())
    )
