"""Bringing a table up to date with the tables it is built from.

A step does not compute "its partition": it looks which months of its inputs changed since its table was
last built, computes what they can have changed, and replaces those months whose rows differ. So a table's
content is a function of its inputs, whatever the order of runs, and unchanged inputs cost nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import polars as pl

from finpipe.files import locked
from finpipe.pipeline.workspace import Workspace
from finpipe.stores.lake import MONTH, NOT_BUILT, Compression, LakeTable

logger = logging.getLogger(__name__)

WHOLE = "all"  # the month of a table that has no date to be partitioned by

# same: a month depends on the same month of the inputs. later: also on the months before it.
Reach = Literal["same", "later"]


@dataclass(frozen=True)
class Target:
    """A derived table."""

    name: str
    schema: pl.Schema
    key: tuple[str, ...]
    dated_by: str | None = "session"
    reach: Reach = "later"
    lead_days: int = 0  # a row may be dated this many days before the first session it is made of
    compression: Compression = "ZSTD"


@dataclass(frozen=True)
class Built:
    """What a step did to its table."""

    table: str
    version: int
    total: int  # rows of the table
    rows: int  # rows in the months that were written
    months: int  # months that were written

    @property
    def is_unchanged(self) -> bool:
        return self.months == 0

    def as_metadata(self) -> dict[str, int | str]:
        """For people: what was written."""
        written = {"rows_written": self.rows, "months_written": self.months}
        return {"table": self.table, "version": self.version, "rows": self.total, **written}


def bring_up_to_date(
    workspace: Workspace,
    target: Target,
    inputs: Sequence[str],
    compute: Callable[[frozenset[str]], pl.DataFrame],
    *,
    widen: Callable[[LakeTable], bool] = lambda _: False,
) -> Built:
    """Bring `target` up to date with its inputs.

    Args:
        workspace: The home.
        target: The table to bring up to date.
        inputs: Names of the tables it is built from.
        compute: Months to compute -> all rows of those months (rows of other months are dropped).
        widen: Asked with the target's table when inputs changed: whether every month must be computed.

    Returns:
        What was written; nothing, when the inputs are those the table was built from.
    """
    table = workspace.lake.table(target.name, target.compression)
    with locked(workspace.lock_file(target.name)):
        versions = {name: workspace.lake.table(name).version() for name in inputs}
        if table.exists and all(table.built_from(name) == _known(version) for name, version in versions.items()):
            return Built(target.name, table.version() or 0, table.row_count(), 0, 0)
        months = _months_to_compute(workspace, target, table, inputs, everything=not table.exists or widen(table))
        built = replace_differing(table, target, compute(months), months, versions)
    logger.info("Built %s: %d rows in %d months", target.name, built.rows, built.months, extra={"event": "built"})
    return built


def replace_differing(
    table: LakeTable,
    target: Target,
    rows: pl.DataFrame,
    months: Collection[str],
    versions: dict[str, int | None] | None = None,
) -> Built:
    """Replace those of `months` whose rows differ from the table's; the caller holds the table's lock."""
    new = _with_month(rows.select(target.schema.names()), target).sort(target.key)
    new = new.filter(pl.col(MONTH).is_in(sorted(months)))
    old = _with_month(table.read(target.schema, months=months), target).sort(target.key)
    differing = _differing_months(new, old)
    if not differing and table.exists and versions is None:
        return Built(target.name, table.version() or 0, table.row_count(), 0, 0)
    written = new.filter(pl.col(MONTH).is_in(sorted(differing)))
    version = table.replace_months(written, differing, built_from=versions)
    return Built(target.name, version, table.row_count(), len(written), len(differing))


def month_of(day: date) -> str:
    """The month a day lies in, as tables are partitioned by it."""
    return f"{day:%Y-%m}"


def _known(version: int | None) -> int:
    return NOT_BUILT if version is None else version


def _months_to_compute(
    workspace: Workspace, target: Target, table: LakeTable, inputs: Sequence[str], *, everything: bool
) -> frozenset[str]:
    if target.dated_by is None:
        return frozenset({WHOLE})
    tables = [workspace.lake.table(name) for name in inputs]
    present = {m for t in (*tables, table) for m in t.months_changed_since(None)} - {WHOLE}
    if everything:
        return _with_lead(present, target)
    changed_inputs = {m for t in tables for m in t.months_changed_since(table.built_from(t.name))} - {WHOLE}
    changed = _with_lead(changed_inputs, target)
    if target.reach == "same" or not changed:
        return changed
    return frozenset(m for m in present | changed if m >= min(changed))


def _with_lead(months: Collection[str], target: Target) -> frozenset[str]:
    lead = timedelta(days=target.lead_days)
    return frozenset({*months, *(month_of(date.fromisoformat(f"{month}-01") - lead) for month in months)})


def _with_month(frame: pl.DataFrame, target: Target) -> pl.DataFrame:
    if target.dated_by is None:
        return frame.with_columns(pl.lit(WHOLE).alias(MONTH))
    return frame.with_columns(pl.col(target.dated_by).dt.strftime("%Y-%m").alias(MONTH))


def _differing_months(new: pl.DataFrame, old: pl.DataFrame) -> set[str]:
    before = {month: part for (month,), part in old.partition_by(MONTH, as_dict=True).items()}
    after = {month: part for (month,), part in new.partition_by(MONTH, as_dict=True).items()}
    months = before.keys() | after.keys()
    return {str(m) for m in months if m not in before or m not in after or not before[m].equals(after[m])}
