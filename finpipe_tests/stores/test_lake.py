from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from finpipe.errors import StorageError
from finpipe.stores.lake import MONTH, NOT_BUILT, Lake, LakeTable

SCHEMA = pl.Schema(
    {"session": pl.Date, "close": pl.Float64, "receipts": pl.List(pl.String), "at": pl.Datetime("us", "UTC")}
)


def rows(*closes: tuple[date, float]) -> pl.DataFrame:
    at = datetime(2013, 3, 1, 12, tzinfo=UTC)
    frame = pl.DataFrame([(day, close, ["r1", "r2"], at) for day, close in closes], schema=SCHEMA, orient="row")
    return frame.with_columns(pl.col("session").dt.strftime("%Y-%m").alias(MONTH))


JANUARY, FEBRUARY = date(2013, 1, 31), date(2013, 2, 1)


@pytest.fixture
def table(tmp_path: Path) -> LakeTable:
    return Lake(tmp_path).table("core/bars")


def test_table_that_does_not_exist_reads_as_empty(table: LakeTable) -> None:
    assert (table.exists, table.version(), table.built_from("x")) == (False, None, None)
    assert table.read(SCHEMA).equals(pl.DataFrame(schema=SCHEMA))
    assert table.months_changed_since(None) == set()


def test_rows_come_back_as_they_were_written(table: LakeTable) -> None:
    written = rows((JANUARY, 1.0), (FEBRUARY, 2.0))
    table.replace_months(written, {"2013-01", "2013-02"})
    assert table.read(SCHEMA).sort("session").equals(written.drop(MONTH))
    assert table.read(SCHEMA, months=["2013-02"])["close"].to_list() == [2.0]
    assert table.read(SCHEMA, where=pl.col("close") < 2)["session"].to_list() == [JANUARY]


def test_replacing_a_month_leaves_the_others(table: LakeTable) -> None:
    table.replace_months(rows((JANUARY, 1.0), (FEBRUARY, 2.0)), {"2013-01", "2013-02"})
    table.replace_months(rows((FEBRUARY, 3.0)), {"2013-02"})
    assert table.read(SCHEMA).sort("session")["close"].to_list() == [1.0, 3.0]
    table.replace_months(rows(), {"2013-01"})
    assert table.read(SCHEMA)["close"].to_list() == [3.0]


def test_rows_of_a_month_that_is_not_replaced_are_refused(table: LakeTable) -> None:
    with pytest.raises(StorageError, match="2013-02"):
        table.replace_months(rows((FEBRUARY, 1.0)), {"2013-01"})
    assert not table.exists


def test_reader_that_pins_a_version_sees_it_after_later_commits(table: LakeTable) -> None:
    first = table.replace_months(rows((JANUARY, 1.0)), {"2013-01"})
    table.replace_months(rows((JANUARY, 9.0)), {"2013-01"})
    assert table.read(SCHEMA, version=first)["close"].to_list() == [1.0]


def test_months_changed_are_those_whose_files_differ(table: LakeTable) -> None:
    first = table.replace_months(rows((JANUARY, 1.0), (FEBRUARY, 2.0)), {"2013-01", "2013-02"})
    table.replace_months(rows((FEBRUARY, 3.0)), {"2013-02"})
    assert table.months_changed_since(first) == {"2013-02"}
    assert table.months_changed_since(None) == table.months_changed_since(NOT_BUILT) == {"2013-01", "2013-02"}
    assert table.months_changed_since(99) == {"2013-01", "2013-02"}
    assert table.months_changed_since(table.version()) == set()


def test_commit_records_the_versions_it_was_built_from(table: LakeTable) -> None:
    table.replace_months(rows((JANUARY, 1.0)), {"2013-01"}, built_from={"a": 3, "b": None})
    assert (table.built_from("a"), table.built_from("b"), table.built_from("c")) == (3, NOT_BUILT, None)
    table.replace_months(rows(), set(), built_from={"a": 4})
    assert (table.built_from("a"), table.built_from("b")) == (4, NOT_BUILT)
    assert table.read(SCHEMA)["close"].to_list() == [1.0]


def test_log_without_a_commit_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "core" / "bars" / "_delta_log").mkdir(parents=True)
    lake = Lake(tmp_path)
    assert not lake.table("core/bars").exists
    assert lake.names() == []
    lake.table("core/bars").replace_months(rows((JANUARY, 1.0)), {"2013-01"})
    assert lake.names() == ["core/bars"]


def test_damaged_table_is_a_storage_error_that_names_it(table: LakeTable) -> None:
    table.replace_months(rows((JANUARY, 1.0)), {"2013-01"})
    (table.path / "_delta_log" / "00000000000000000000.json").write_text("{")
    with pytest.raises(StorageError, match="core/bars"):
        table.version()


def test_snapshot_lists_files_and_columns(table: LakeTable) -> None:
    table.replace_months(rows((JANUARY, 1.0)), {"2013-01"})
    snapshot = table.snapshot()
    assert len(snapshot.files) == 1
    assert snapshot.empty.schema == pl.Schema({**SCHEMA, MONTH: pl.String})
    shutil.rmtree(table.path)
    assert not table.exists
