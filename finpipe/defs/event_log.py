"""Dagster's SQLite event log with its connections kept open.

The stock storage opens, checks and closes SQLite for every event, which is most of what a long backfill does.
What is stored, where and how it is read stay as they are; `dagster.yaml` names this class, and without it
everything works, slower.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import StaticPool

_OPEN_RUNS = 8  # each run has a file of its own; a daemon sees thousands


class PooledSqliteEventLog(SqliteEventLogStorage):
    """The stock storage, one connection a file. Lies where the stock one does: `history/runs` of the instance."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._there: set[str] = set()  # tables, columns and indexes seen: a schema only grows
        super().__init__(str(Path(base_dir) / "history" / "runs"), inst_data)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        return cls(inst_data=inst_data, **config_value)

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        # One "planned" event an asset, not one a partition: as many as would be written when all is done.
        return True

    def store_event(self, event: EventLogEntry) -> None:
        super().store_event(event)
        # The UI watches the file to follow a run; an open connection writes beside it, into the WAL.
        os.utime(self.path_for_shard(event.run_id))

    def wipe(self) -> None:
        self._close(self._runs())
        super().wipe()

    def dispose(self) -> None:
        self._close(list(self._engines))
        super().dispose()

    def has_table(self, table_name: str) -> bool:
        return self._is_there(f"table {table_name}", super().has_table, table_name)

    def has_secondary_index(self, name: str) -> bool:
        return self._is_there(f"index {name}", super().has_secondary_index, name)

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        return self._is_there(f"column {column_name}", super()._has_asset_key_col_on_connection, conn, column_name)

    def _is_there(self, what: str, look: Callable[..., bool], *arguments: object) -> bool:
        if what not in self._there and look(*arguments):
            self._there.add(what)
        return what in self._there

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            if shard not in self._engines:
                self._engines[shard] = self._opened(shard)
                self._close(self._runs()[:-_OPEN_RUNS])
            self._engines.move_to_end(shard)
            with self._engines[shard].connect() as connection, connection.begin():
                yield connection

    def _opened(self, shard: str) -> Engine:
        engine = create_engine(
            self.conn_string_for_shard(shard),
            poolclass=StaticPool,  # one connection, lent to one thread at a time by the lock
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        with engine.connect() as connection:
            # In WAL mode this keeps the file whole through a power loss, and may lose the last events.
            connection.exec_driver_sql("PRAGMA synchronous = NORMAL")
        return engine

    def _runs(self) -> list[str]:
        return [shard for shard in self._engines if shard != INDEX_SHARD_NAME]

    def _close(self, shards: Iterable[str]) -> None:
        for shard in shards:
            self._engines.pop(shard).dispose()
