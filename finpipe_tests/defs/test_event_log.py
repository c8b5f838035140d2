"""The pooled event log against Dagster's own: what one wrote, the other reads the same."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log import SqliteEventLogStorage

from finpipe.defs.event_log import PooledSqliteEventLog
from finpipe.defs.partitions import Partitions, range_tags
from finpipe.defs.runs import execute

pytestmark = pytest.mark.filterwarnings("ignore:Parameter `backfill_policy`:dagster.BetaWarning")
KEY = dg.AssetKey("ranged")
DAILY = Partitions.between(date(2013, 1, 1), date(2013, 3, 1)).daily


@contextmanager
def instance_in(home: Path, storage: type[SqliteEventLogStorage]) -> Iterator[dg.DagsterInstance]:
    base = home if storage is PooledSqliteEventLog else home / "history" / "runs"
    config = {"module": storage.__module__, "class": storage.__name__, "config": {"base_dir": str(base)}}
    home.mkdir(exist_ok=True)
    ref = InstanceRef.from_dir(str(home), overrides={"event_log_storage": config})
    with dg.DagsterInstance.from_ref(ref) as instance:
        yield instance


def run(instance: dg.DagsterInstance, first: date, last: date) -> str:
    """Materialize a range of one asset with a check; the run's id."""

    @dg.asset(
        key=KEY,
        partitions_def=DAILY,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[dg.AssetCheckSpec("held", asset=KEY)],
    )
    async def ranged() -> dg.MaterializeResult:  # type: ignore[type-arg] # Dagster wants the class itself
        check = dg.AssetCheckResult(check_name="held", passed=True)
        return dg.MaterializeResult(metadata={"rows": 1}, check_results=[check])

    job = dg.define_asset_job("ranges", dg.AssetSelection.all())
    definitions = dg.Definitions(assets=[ranged], jobs=[job], executor=dg.in_process_executor)
    for _ in execute(definitions.resolve_job_def("ranges"), instance, range_tags(first, last)):
        pass
    [newest] = instance.get_runs(limit=1)
    assert newest.is_success
    return newest.run_id


def told(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str | None, str | None, str | None]]:
    """What the log says of a run, without its times; how planned work is written down differs by design."""
    entries = [entry.dagster_event for entry in instance.all_logs(run_id) if entry.dagster_event]
    return [
        (event.event_type_value, event.step_key, event.partition)
        for event in entries
        if event.event_type is not dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    ]


def test_pooled_log_tells_of_a_run_what_the_stock_log_tells(tmp_path: Path) -> None:
    logs = []
    for storage in (SqliteEventLogStorage, PooledSqliteEventLog):
        with instance_in(tmp_path / storage.__name__, storage) as instance:
            run_id = run(instance, date(2013, 1, 1), date(2013, 1, 5))
            assert len(instance.get_materialized_partitions(KEY)) == 5
            logs.append(told(instance, run_id))
    stock, pooled = logs
    assert pooled == stock


@pytest.mark.parametrize(
    ("writer", "reader"),
    [(SqliteEventLogStorage, PooledSqliteEventLog), (PooledSqliteEventLog, SqliteEventLogStorage)],
)
def test_either_log_reads_what_the_other_wrote(
    tmp_path: Path, writer: type[SqliteEventLogStorage], reader: type[SqliteEventLogStorage]
) -> None:
    with instance_in(tmp_path / "home", writer) as instance:
        run_id = run(instance, date(2013, 1, 1), date(2013, 1, 2))
        written = told(instance, run_id)
    with instance_in(tmp_path / "home", reader) as instance:
        assert told(instance, run_id) == written
        assert instance.get_materialized_partitions(KEY) == {"2013-01-01", "2013-01-02"}


def test_pooled_log_plans_a_range_in_one_event_an_asset(tmp_path: Path) -> None:
    with instance_in(tmp_path / "home", PooledSqliteEventLog) as instance:
        run_id = run(instance, date(2013, 1, 1), date(2013, 1, 20))
        planned = [
            entry
            for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
            if entry.dagster_event
        ]
        assert len(planned) == 1


def test_pooled_log_keeps_few_files_open_and_forgets_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finpipe.defs.event_log._OPEN_RUNS", 1)
    with instance_in(tmp_path / "home", PooledSqliteEventLog) as instance:
        runs = [run(instance, date(2013, 1, n), date(2013, 1, n)) for n in (1, 2, 3)]
        storage = instance.event_log_storage
        assert isinstance(storage, PooledSqliteEventLog)
        assert set(storage._engines) == {"index", runs[-1]}
        assert all(told(instance, run_id) for run_id in runs)


def test_pooled_log_touches_the_file_that_the_ui_follows(tmp_path: Path) -> None:
    with instance_in(tmp_path / "home", PooledSqliteEventLog) as instance:
        run_id = run(instance, date(2013, 1, 1), date(2013, 1, 1))
        followed = tmp_path / "home" / "history" / "runs" / f"{run_id}.db"
        os.utime(followed, (0, 0))
        instance.report_engine_event("hello", instance.get_run_by_id(run_id))
        assert followed.stat().st_mtime > 0


def test_wiped_pooled_log_starts_anew(tmp_path: Path) -> None:
    with instance_in(tmp_path / "home", PooledSqliteEventLog) as instance:
        run(instance, date(2013, 1, 1), date(2013, 1, 2))
        instance.wipe()
        assert instance.get_materialized_partitions(KEY) == set()
        assert told(instance, run(instance, date(2013, 1, 1), date(2013, 1, 2)))
