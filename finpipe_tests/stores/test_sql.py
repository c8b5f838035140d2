from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finpipe.core import as_of, core_table
from finpipe.errors import QueryError
from finpipe.schemas import BARS
from finpipe.stores.lake import MONTH, Lake
from finpipe.stores.sql import SqlEngine

CORE = core_table(BARS)


def instant(hour: int) -> datetime:
    return datetime(2013, 3, 1, hour, tzinfo=UTC)


def version(instrument: str, source: str, hour: int, close: float | None) -> tuple[object, ...]:
    """One version of a bar; a close of None is a retraction."""
    prices = (close,) * 4
    receipt = f"20130301T{hour:02}0000000000Z-00000000"
    lineage = (source, receipt, instant(hour), "observed", close is None)
    return (instrument, instrument.upper(), date(2013, 3, 1), *prices, 1.0, "USD", *lineage)


def lake_of(root: Path, versions: list[tuple[object, ...]]) -> tuple[Lake, pl.DataFrame]:
    lake, frame = Lake(root), pl.DataFrame(versions, schema=CORE.schema, orient="row")
    lake.table("core/bars_daily").replace_months(frame.with_columns(pl.lit("2013-03").alias(MONTH)), {"2013-03"})
    return lake, frame


VERSIONS = st.lists(
    st.builds(
        version, st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"]), st.integers(0, 9),
        st.none() | st.sampled_from([1.0, 2.0, 3.0]),
    ),
    max_size=8, unique_by=lambda row: (row[0], row[9], row[10]),
)  # fmt: skip


@given(VERSIONS, st.none() | st.integers(0, 9))
def test_bars_in_sql_are_those_of_as_of(tmp_path_factory: pytest.TempPathFactory, versions, hour: int | None) -> None:
    lake, frame = lake_of(tmp_path_factory.mktemp("lake"), versions)
    moment = None if hour is None else instant(hour)
    found = SqlEngine(lake, as_of=moment).query("select * from bars order by instrument_id, session")
    expected = as_of(frame, CORE.key, moment).drop("is_retracted")
    assert found.select(expected.columns).cast(dict(expected.schema)).equals(expected)


def test_bars_have_the_columns_that_readers_rely_on(tmp_path: Path) -> None:
    lake, _ = lake_of(tmp_path, [version("a", "x", 1, 2.0)])
    assert set(SqlEngine(lake).query("select * from bars").columns) >= {
        "instrument_id", "symbol", "session", "open", "high", "low", "close", "volume", "knowledge_time", "source",
        "receipt",
    }  # fmt: skip


def test_as_of_shows_no_table_that_holds_later_knowledge(tmp_path: Path) -> None:
    lake, _ = lake_of(tmp_path, [version("a", "x", 1, 2.0), version("a", "x", 5, 3.0)])
    metrics = pl.DataFrame({"instrument_id": ["a"], "sma_20": [3.0], MONTH: ["2013-03"]})
    lake.table("metrics/daily").replace_months(metrics, {"2013-03"})
    assert [view.name for view in SqlEngine(lake).views] == ["bars", "core_bars_daily", "metrics_daily"]
    then = SqlEngine(lake, as_of=instant(2))
    assert [view.name for view in then.views] == ["bars", "core_bars_daily"]
    assert then.query("select close from core_bars_daily")["close"].to_list() == [2.0]


def test_engine_keeps_the_version_it_was_opened_with(tmp_path: Path) -> None:
    lake, frame = lake_of(tmp_path, [version("a", "x", 1, 2.0)])
    engine = SqlEngine(lake)
    lake.table("core/bars_daily").replace_months(frame.clear().with_columns(pl.lit("").alias(MONTH)), {"2013-03"})
    assert engine.query("select count(*) from bars").item() == 1
    assert SqlEngine(lake).query("select count(*) from bars").item() == 0


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/hostname')",
        "select * from glob('/*')",
        "copy (select 1) to '/tmp/finpipe_escape.csv'",
        "attach '/tmp/finpipe_escape.db'",
        "install httpfs",
        "set enable_external_access = true",
        "set allowed_directories = ['/']",
        "export database '/tmp/finpipe_escape'",
    ],
)
def test_engine_reads_and_writes_nothing_outside_the_lake(tmp_path: Path, statement: str) -> None:
    lake, _ = lake_of(tmp_path, [version("a", "x", 1, 2.0)])
    with pytest.raises(QueryError):
        SqlEngine(lake).query(statement)
    assert not list(Path("/tmp").glob("finpipe_escape*"))  # noqa: S108 - what the statements try to write


def test_unknown_table_lists_those_there_are_on_one_line(tmp_path: Path) -> None:
    lake, _ = lake_of(tmp_path, [version("a", "x", 1, 2.0)])
    with pytest.raises(QueryError, match="Tables: bars, core_bars_daily") as caught:
        SqlEngine(lake).query("select * from barz")
    assert "\n" not in str(caught.value)
