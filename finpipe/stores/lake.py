"""The lake: Delta tables, partitioned by month, replaced month by month in one commit.

A table that is built from others records in each commit the version of each input it was built from
(Delta's own application transactions), so that "is it up to date?" is one look at two numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError

from finpipe.errors import StorageError

MONTH = "month"
NOT_BUILT = -1  # recorded for an input that did not exist

Compression = Literal["ZSTD", "LZ4"]


@dataclass(frozen=True)
class Snapshot:
    """One version of a table: paths of its data files, and a frame with its columns and no row."""

    files: tuple[str, ...]
    empty: pl.DataFrame


class Lake:
    """All Delta tables of a home; a table's name is its path, such as `core/bars_daily`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def table(self, name: str, compression: Compression = "ZSTD") -> LakeTable:
        """A table by name, whether it exists yet or not."""
        return LakeTable(name, self.root / name, compression)

    def names(self) -> list[str]:
        """Names of the tables that exist."""
        logs = self.root.rglob("_delta_log")
        names = (str(log.parent.relative_to(self.root)) for log in logs)
        return sorted(name for name in names if self.table(name).exists)


class LakeTable:
    """One Delta table. Readers pin a version and see all of a commit or none."""

    def __init__(self, name: str, path: Path, compression: Compression) -> None:
        self.name, self.path = name, path
        # zstd halves bars; metrics hardly compress, and lz4 reads twice as fast.
        self._writer = WriterProperties(compression=compression)

    @property
    def exists(self) -> bool:
        # A killed first write may leave a log without a commit: that is no table yet.
        return DeltaTable.is_deltatable(str(self.path))

    def version(self) -> int | None:
        """The newest version; None when the table does not exist."""
        return self._open().version() if self.exists else None

    def built_from(self, table: str) -> int | None:
        """The version of another table that this one was last built from; None when never."""
        return self._open().transaction_version(table) if self.exists else None

    def read(
        self,
        schema: pl.Schema,
        *,
        version: int | None = None,
        months: Collection[str] | None = None,
        where: pl.Expr | None = None,
    ) -> pl.DataFrame:
        """The table's rows, without the partition column.

        Args:
            schema: Columns to read; also of the empty frame when the table does not exist.
            version: Pin this version; the newest when None.
            months: Only these, as `2013-02`.
            where: Only rows for which this holds; it may name the column `month`.
        """
        if not self.exists or (months is not None and not months):
            return pl.DataFrame(schema=schema)
        frame = pl.scan_delta(self._open(version))
        if months is not None:
            frame = frame.filter(pl.col(MONTH).is_in(sorted(months)))
        if where is not None:
            frame = frame.filter(where)
        return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items()).collect()

    def row_count(self) -> int:
        """How many rows the newest version has; from its log, no file is read."""
        return int(self._open().count()) if self.exists else 0

    def snapshot(self) -> Snapshot:
        """What a reader of another engine needs to see one version: its files and columns."""
        table = self._open()
        return Snapshot(tuple(table.file_uris()), pl.DataFrame(table.schema().to_arrow().empty_table()))

    def months_changed_since(self, version: int | None) -> set[str]:
        """Months whose files differ between `version` and the newest; all of them when it cannot be told."""
        if not self.exists:
            return set()
        newest = self._files_by_month(self._open())
        if version is None or version == NOT_BUILT:
            return set(newest)
        try:
            before = self._files_by_month(self._open(version))
        except StorageError:  # its log was cleaned away
            before = {}
        return {month for month in newest.keys() | before.keys() if newest.get(month) != before.get(month)}

    def replace_months(
        self, frame: pl.DataFrame, months: Collection[str], *, built_from: Mapping[str, int | None] | None = None
    ) -> int:
        """Replace whole months in one commit.

        Args:
            frame: All rows of those months, with the column `month`.
            months: Which to replace; a month that has no row in `frame` becomes empty.
            built_from: Input table -> version to record in the same commit.

        Returns:
            The new version.
        """
        stray = set(frame[MONTH].unique()) - set(months)
        if stray:
            raise StorageError(f"{self.name}: rows of {sorted(stray)[:3]} are not among the months to replace")
        inputs = {name: NOT_BUILT if v is None else v for name, v in (built_from or {}).items()}
        properties = CommitProperties(app_transactions=[Transaction(name, v) for name, v in inputs.items()])
        try:
            self._write(frame, months, properties)
        except (DeltaError, OSError) as error:
            raise StorageError(f"cannot write the table {self.path}: {error}") from error
        return self._open().version()

    def _write(self, frame: pl.DataFrame, months: Collection[str], properties: CommitProperties) -> None:
        data = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self.exists and months:
            listed = ", ".join(f"'{month}'" for month in sorted(months))
            write_deltalake(
                self.path,
                data,
                mode="overwrite",
                predicate=f"{MONTH} in ({listed})",
                commit_properties=properties,
                writer_properties=self._writer,
            )
            return
        self.path.mkdir(parents=True, exist_ok=True)
        write_deltalake(
            self.path,
            data,
            mode="append",
            partition_by=None if self.exists else [MONTH],
            commit_properties=properties,
            writer_properties=self._writer,
        )

    def _open(self, version: int | None = None) -> DeltaTable:
        try:
            return DeltaTable(self.path, version=version)
        except DeltaError as error:
            raise StorageError(f"cannot read the table {self.path}: {error}") from error

    @staticmethod
    def _files_by_month(table: DeltaTable) -> dict[str, frozenset[str]]:
        actions = pl.DataFrame(table.get_add_actions(flatten=True)).select("path", f"partition.{MONTH}")
        grouped = actions.group_by(f"partition.{MONTH}").agg("path")
        return {month: frozenset(paths) for month, paths in grouped.iter_rows()}
