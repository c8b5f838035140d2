"""The staging step: receipts that were not staged yet become versions, quarantine and accounts.

The accounts are written last: a receipt without an account is not staged, whatever a killed run left of it
in the other tables. Its rows are taken out again when it is staged, so that nothing is doubled.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial

import polars as pl

from finpipe.fetch import available_at
from finpipe.files import locked
from finpipe.pipeline import names
from finpipe.pipeline.workspace import Workspace
from finpipe.raw.receipt import Receipt, item_key
from finpipe.schemas import LINEAGE, STAGED
from finpipe.sources.spec import Dataset, Source
from finpipe.staging.accounting import ACCOUNTS, COUNTS, QUARANTINE
from finpipe.staging.observe import SessionContext
from finpipe.staging.stage import Staged, stage
from finpipe.stores.lake import MONTH, LakeTable

logger = logging.getLogger(__name__)

_LINEAGE = {column.name: column.dtype for column in LINEAGE}
_SESSION_MONTH = pl.col("session").dt.strftime("%Y-%m")
# A receipt id begins with the instant it was received.
_RECEIPT_MONTH = pl.col("receipt").str.slice(0, 4) + "-" + pl.col("receipt").str.slice(4, 2)

# Receipts of different slices never state the same key, so each slice is folded by itself.
Slice = tuple[str, date | None]


@dataclass(frozen=True)
class StageOutcome:
    """What a staging step did: receipts staged, and what became of their records."""

    source: str
    dataset: str
    receipts: int
    records: int
    new: int
    restated: int
    unchanged: int
    duplicate: int
    not_final: int
    out_of_scope: int
    quarantined: int

    @property
    def is_accounted(self) -> bool:
        """Whether every record is one of the seven."""
        return self.records == sum(int(getattr(self, name)) for name in COUNTS)

    def as_metadata(self) -> dict[str, int | str]:
        """For people: every count."""
        return {name: value for name, value in asdict(self).items() if name not in ("source", "dataset")}


def stage_dataset(workspace: Workspace, source: Source, dataset: Dataset) -> StageOutcome:
    """Stage every receipt of a dataset that is not staged yet.

    A receipt that arrives after later ones of its slice makes that slice be folded anew from raw, so the
    tables are those that any other order of arrival would have made.
    """
    with locked(workspace.lock_file(f"staging/{source.name}/{dataset.name}")):
        return _Step(workspace, source, dataset).run()


class _Step:
    """One run over one dataset; the caller holds its lock."""

    def __init__(self, workspace: Workspace, source: Source, dataset: Dataset) -> None:
        self.workspace, self.source, self.dataset = workspace, source, dataset
        self.accounts = workspace.lake.table(names.staged(source, dataset, "accounts"))
        self.quarantine = workspace.lake.table(names.staged(source, dataset, "quarantine"))
        tables = dict.fromkeys(mapping.table for mapping in dataset.response.tables)
        self.tables = {name: workspace.lake.table(names.staged(source, dataset, name)) for name in tables}

    def run(self) -> StageOutcome:
        staged_before = self.accounts.read(ACCOUNTS)
        new = list(self._unstaged(set(staged_before["receipt"])))
        if new or not self.accounts.exists:
            refolded = self._slices_to_refold(new, staged_before)
            again = (
                [r for r in self._receipts(staged_before["receipt"]) if self._slice(r) in refolded] if refolded else []
            )
            later = [receipt for receipt in new if self._slice(receipt) not in refolded]
            early = [*again, *(receipt for receipt in new if self._slice(receipt) in refolded)]
            replaced = [receipt.id for receipt in (*later, *early)]
            parts = [self._staged(later, self._existing(later)), self._staged(early, None)]
            self._write(_joined(parts), replaced)
        return self._outcome([receipt.id for receipt in new])

    def _unstaged(self, staged: Collection[str]) -> Iterator[Receipt]:
        """Receipts of data (an error page is no data) without an account."""
        ids = self.workspace.raw.receipt_ids(self.source.name, self.dataset.name)
        unknown = self._receipts(receipt_id for receipt_id in ids if receipt_id not in staged)
        return (receipt for receipt in unknown if receipt.outcome == "ok" and receipt.sha256)

    def _receipts(self, ids: Iterable[str]) -> Iterator[Receipt]:
        return (self.workspace.raw.receipt(self.source.name, self.dataset.name, one) for one in ids)

    def _slice(self, receipt: Receipt) -> Slice:
        return item_key(receipt.item), receipt.first if self.dataset.span == "session" else None

    def _slices_to_refold(self, new: Sequence[Receipt], staged: pl.DataFrame) -> set[Slice]:
        newest: dict[Slice, str] = {}
        for receipt, item, first in staged.select("receipt", "item", "first").iter_rows():
            place = (item, first if self.dataset.span == "session" else None)
            newest[place] = max(newest.get(place, ""), receipt)
        return {self._slice(receipt) for receipt in new if receipt.id < newest.get(self._slice(receipt), "")}

    def _existing(self, later: Sequence[Receipt]) -> dict[str, pl.DataFrame]:
        """Versions of the slices that `later` adds to, without what a killed run left of `later` itself."""
        where = ~pl.col("receipt").is_in([receipt.id for receipt in later])
        if self.dataset.span == "session":
            where &= pl.col(MONTH).is_in(sorted({f"{receipt.first:%Y-%m}" for receipt in later}))
        elif symbols := [receipt.item["symbol"] for receipt in later if "symbol" in receipt.item]:
            where &= pl.col("symbol").is_in(symbols)
        return {name: table.read(_versions_schema(name), where=where) for name, table in self.tables.items()}

    def _staged(self, receipts: Sequence[Receipt], existing: Mapping[str, pl.DataFrame] | None) -> Staged:
        bodies = ((receipt, self.workspace.raw.get(receipt.sha256 or "")) for receipt in receipts)
        return stage(self.dataset, bodies, existing, self._context())

    def _context(self) -> SessionContext:
        cadence = self.dataset.cadence
        calendar = self.workspace.calendar(cadence.calendar)
        return SessionContext(partial(available_at, self.dataset, calendar), calendar.is_session, cadence.grace)

    def _write(self, staged: Staged, replaced: Sequence[str]) -> None:
        for name, table in self.tables.items():
            self._replace(table, _versions_schema(name), staged.versions[name], replaced, _SESSION_MONTH)
        self._replace(self.quarantine, QUARANTINE, staged.quarantine, replaced, _RECEIPT_MONTH)
        self._replace(self.accounts, ACCOUNTS, staged.accounts, replaced, _RECEIPT_MONTH)

    def _replace(
        self, table: LakeTable, schema: pl.Schema, rows: pl.DataFrame, replaced: Sequence[str], month: pl.Expr
    ) -> None:
        """Put `rows` in the place of all rows that rest on the receipts `replaced`."""
        is_replaced = pl.col("receipt").is_in(replaced)
        old_months = table.read(pl.Schema({MONTH: pl.String}), where=is_replaced)[MONTH]
        rows = rows.with_columns(month.alias(MONTH))
        months = {*old_months, *rows[MONTH]}
        if not months and table.exists:
            return
        kept = table.read(schema, months=months, where=~is_replaced).with_columns(month.alias(MONTH))
        table.replace_months(pl.concat([kept, rows]).sort(_order(schema)), months)

    def _outcome(self, ids: Sequence[str]) -> StageOutcome:
        counts = self.accounts.read(ACCOUNTS, where=pl.col("receipt").is_in(ids)).select(
            pl.col("records", *COUNTS).sum()
        )
        outcome = StageOutcome(self.source.name, self.dataset.name, len(ids), **counts.row(0, named=True))
        logger.info(
            "Staged %s/%s: %d receipts, %d records",
            self.source.name,
            self.dataset.name,
            len(ids),
            outcome.records,
            extra={"event": "stage_done", **asdict(outcome)},
        )
        return outcome


def _versions_schema(name: str) -> pl.Schema:
    return pl.Schema({**STAGED[name].schema, **_LINEAGE})


def _order(schema: pl.Schema) -> list[str]:
    return [name for name in ("symbol", "session", "kind", "receipt", "record", "table") if name in schema]


def _joined(parts: Sequence[Staged]) -> Staged:
    return Staged(
        {name: pl.concat([part.versions[name] for part in parts]) for name in parts[0].versions},
        pl.concat([part.quarantine for part in parts]),
        pl.concat([part.accounts for part in parts]),
    )
