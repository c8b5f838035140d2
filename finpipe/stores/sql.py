"""SQL over all tables: DuckDB in memory, one view a table, each pinned to the version it had when opened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl

from finpipe.errors import QueryError
from finpipe.stores.lake import Lake

# Core tables hold every version of a fact. These views show one row a fact: what is known now, or was at `as_of`.
_CURRENT_VIEWS = {
    "bars": ("core/bars_daily", ("instrument_id", "session")),
    "corporate_actions": ("core/corporate_actions", ("instrument_id", "session", "kind")),
    "short_volume": ("core/short_volume", ("instrument_id", "session")),
}
_UNIONS = ("accounts", "quarantine")


@dataclass(frozen=True)
class View:
    """A name a query may use, and what it shows."""

    name: str
    shows: str


class SqlEngine:
    """Answers queries over the lake. It reads nothing outside it and writes nothing."""

    def __init__(self, lake: Lake, *, as_of: datetime | None = None) -> None:
        """Make the views.

        Args:
            lake: Whose tables to show.
            as_of: Show what was known then; now, when None. Tables that state no knowledge time (metrics and
                reports hold today's knowledge) have no view then: nothing known later can be read.
        """
        self._lake, self._as_of = lake, as_of
        self._connection = duckdb.connect()
        self._connection.execute("set timezone = 'UTC'")
        self.views = tuple(self._make_views())
        self._lock(lake.root)

    def query(self, text: str) -> pl.DataFrame:
        """The answer of one statement.

        Raises:
            QueryError: DuckDB refused it; lists the views there are.
        """
        try:
            relation = self._connection.sql(text)
            if relation is None:
                raise QueryError("the statement returns no rows; write a select")
            frame: pl.DataFrame = relation.pl()
        except duckdb.Error as error:
            known = ", ".join(view.name for view in self.views) or "none: run `finpipe demo` or `finpipe fetch` first"
            said = " ".join(str(error).partition("\n\nLINE ")[0].split())
            raise QueryError(f"{said} Tables: {known}") from error
        return frame

    def _make_views(self) -> list[View]:
        names = [name for name in self._lake.names() if self._is_shown(name)]
        views = [self._table_view(name) for name in names]
        views += [self._current_view(view, *of) for view, of in _CURRENT_VIEWS.items() if of[0] in names]
        for union in _UNIONS:
            parts = [name for name in names if name.startswith("staging/") and name.endswith(f"/{union}")]
            views += [self._union_view(union, parts)] if parts else []
        return sorted(views, key=lambda view: view.name)

    def _is_shown(self, table: str) -> bool:
        return self._as_of is None or "knowledge_time" in self._lake.table(table).snapshot().empty.columns

    def _table_view(self, table: str) -> View:
        name = view_name(table)
        snapshot = self._lake.table(table).snapshot()
        if snapshot.files:
            files = ", ".join(_quoted(file) for file in snapshot.files)
            source = f"read_parquet([{files}], hive_partitioning = true, union_by_name = true)"
            columns = ", ".join(f'"{column}"' for column in snapshot.empty.columns if column != "month")
            self._connection.execute(f'create view "{name}" as select {columns} from {source}{self._known()}')
        else:
            self._connection.register(name, snapshot.empty.drop("month").to_arrow())
        return View(name, f"every row of {table}")

    def _current_view(self, view: str, table: str, key: tuple[str, ...]) -> View:
        """The last version per fact and source that was known, then one source per fact: the first by name."""
        facts = ", ".join(key)
        self._connection.execute(
            f"create view {view} as "
            f"with known as (select * from {view_name(table)} "
            f"qualify row_number() over (partition by {facts}, source order by knowledge_time desc, receipt desc) = 1) "
            "select * exclude (is_retracted) from known where not is_retracted "
            f"qualify row_number() over (partition by {facts} order by source) = 1"
        )
        moment = f"as of {self._as_of.isoformat()}" if self._as_of else "now"
        return View(view, f"one row a fact of {table}, as known {moment}")

    def _known(self) -> str:
        return f" where knowledge_time <= timestamptz {_quoted(self._as_of.isoformat())}" if self._as_of else ""

    def _union_view(self, name: str, tables: list[str]) -> View:
        parts = []
        for table in tables:
            _, source, dataset, _ = table.split("/")
            parts.append(
                f"select {_quoted(source)} as source, {_quoted(dataset)} as dataset, * from {view_name(table)}"
            )
        self._connection.execute(f"create view {name} as {' union all by name '.join(parts)}")
        return View(name, f"{name} of every dataset")

    def _lock(self, root: Path) -> None:
        """From here on only the lake's own files can be read, and no setting changed."""
        self._connection.execute(f"set allowed_directories = [{_quoted(str(root) + '/')}]")
        self._connection.execute("set enable_external_access = false")
        self._connection.execute("set lock_configuration = true")


def view_name(table: str) -> str:
    """The name a table has in SQL: `core/bars_daily` is core_bars_daily, `reports/movers` is movers."""
    return table.removeprefix("reports/").replace("/", "_")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
