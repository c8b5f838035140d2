"""The core step: what sources staged becomes one table a kind of fact, by instrument."""

from __future__ import annotations

import polars as pl

from finpipe.core import core_table, provisional, unify
from finpipe.pipeline import names
from finpipe.pipeline.derive import Built, Target, bring_up_to_date
from finpipe.pipeline.workspace import Workspace
from finpipe.schemas import INSTRUMENTS, LINEAGE, STAGED, Table
from finpipe.sources.spec import Dataset, Source
from finpipe.stores.lake import LakeTable

_INSTRUMENTS_TARGET = Target(names.INSTRUMENTS, INSTRUMENTS.schema, INSTRUMENTS.key, dated_by=None)


def build_instruments(workspace: Workspace) -> Built:
    """Bring `core/instruments` up to date: every symbol staged anywhere has an instrument."""
    staged = [(dataset, name) for table in STAGED.values() for _, dataset, name in _feeding(workspace, table)]

    def compute(_: frozenset[str]) -> pl.DataFrame:
        known = read_instruments(workspace)
        symbols = [
            workspace.lake.table(name).read(pl.Schema({"symbol": pl.String})).unique().with_columns(venue=pl.lit(venue))
            for name, venue in ((name, dataset.venue) for dataset, name in staged)
        ]
        added = provisional(
            pl.concat([known.select("venue", "symbol"), *(s.select("venue", "symbol") for s in symbols)]), known
        )
        return pl.concat([known, added])

    return bring_up_to_date(workspace, _INSTRUMENTS_TARGET, [name for _, name in staged], compute)


def build_core(workspace: Workspace, canonical: str) -> Built:
    """Bring a core table up to date with everything staged for it.

    Args:
        workspace: The home.
        canonical: Name of the canonical table: bars, corporate_actions, short_volume.
    """
    table = STAGED[canonical]
    core = core_table(table)
    feeding = _feeding(workspace, table)

    def compute(months: frozenset[str]) -> pl.DataFrame:
        instruments = read_instruments(workspace)
        parts = [
            unify(table, _read_staged(workspace, name, table, months), instruments, dataset.venue)
            for _, dataset, name in feeding
        ]
        return pl.concat([pl.DataFrame(schema=core.schema), *parts])

    target = Target(names.CORE[canonical], core.schema, (*core.key, "knowledge_time", "receipt"), reach="same")
    inputs = [names.INSTRUMENTS, *(name for _, _, name in feeding)]
    return bring_up_to_date(workspace, target, inputs, compute, widen=lambda built: _was_remapped(workspace, built))


def read_instruments(workspace: Workspace, version: int | None = None) -> pl.DataFrame:
    """The table of instruments, empty before the first symbol was staged."""
    return workspace.lake.table(names.INSTRUMENTS).read(INSTRUMENTS.schema, version=version)


def read_core(workspace: Workspace, canonical: str) -> pl.DataFrame:
    """Every version of a core table."""
    return workspace.lake.table(names.CORE[canonical]).read(core_table(STAGED[canonical]).schema)


def _feeding(workspace: Workspace, table: Table) -> list[tuple[Source, Dataset, str]]:
    """The datasets that feed a canonical table, each with the name of its staged table."""
    return [
        (source, dataset, names.staged(source, dataset, table.name))
        for source, dataset in workspace.catalogue.datasets()
        if any(mapping.table == table.name for mapping in dataset.response.tables)
    ]


def _read_staged(workspace: Workspace, name: str, table: Table, months: frozenset[str]) -> pl.DataFrame:
    lineage = {column.name: column.dtype for column in LINEAGE}
    return workspace.lake.table(name).read(pl.Schema({**table.schema, **lineage}), months=months)


def _was_remapped(workspace: Workspace, built: LakeTable) -> bool:
    """Whether a symbol that had an instrument has another mapping now; a new symbol changes no old row."""
    version = built.built_from(names.INSTRUMENTS)
    before = read_instruments(workspace, version) if version is not None and version >= 0 else None
    if before is None:
        return True
    now = read_instruments(workspace)
    return not before.join(now, on=INSTRUMENTS.schema.names(), how="anti", nulls_equal=True).is_empty()
