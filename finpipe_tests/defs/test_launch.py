from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from finpipe.definitions import run_jobs
from finpipe.defs.instance import ensure_instance
from finpipe.defs.launch import StepEvent, StepState, open_instance
from finpipe.home import Home
from finpipe.pipeline.workspace import SandboxState, Workspace
from finpipe.sandbox.options import SandboxOptions
from finpipe.sandbox.packaged import packaged_bars
from finpipe.sandbox.server import RunningSandbox, start_in_thread
from finpipe.settings import Settings

FIRST, LAST = date(2013, 2, 27), date(2013, 3, 1)


@pytest.fixture
def bars_file(tmp_path: Path) -> Path:
    bars = packaged_bars().rename({"session": "date"})
    path = tmp_path / "bars.parquet"
    bars.filter((pl.col("symbol") == "IBM") & (pl.col("date") >= date(2013, 2, 1))).write_parquet(path)
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.read({"FINPIPE_HOME": str(tmp_path / "home")})


def served(settings: Settings, options: SandboxOptions) -> RunningSandbox:
    running = start_in_thread(options)
    home = Home.open(settings.home, settings.profile)
    SandboxState(running.base_url, running.state.now_offset_seconds, options.time_scale, {}).write(home)
    home.universe.write_text("IBM\n")
    return running


@pytest.mark.integration
def test_run_jobs_runs_every_job_and_tells_of_every_step(settings: Settings, bars_file: Path) -> None:
    told: list[StepEvent] = []
    options = SandboxOptions(port=0, time_scale=1e5, bars=bars_file, fail=frozenset({"finra_short_volume"}))
    with served(settings, options):
        assert run_jobs(settings, FIRST, LAST, told.append)
    finished = {event.name for event in told if event.state is StepState.FINISHED}
    assert {event.name for event in told if event.state is StepState.STARTED} == finished
    assert {"raw/finra_short_volume/daily", "core/bars_daily", "reports/insights", "metrics/monthly"} <= finished
    red = {(event.name, event.detail) for event in told if event.state is StepState.CHECK_FAILED}
    assert red == {
        ("raw/finra_short_volume/daily", "fetched"),
        ("staging/finra_short_volume/daily:fresh", "fresh"),
    }
    with open_instance(Workspace.open(settings)) as instance:
        key = dg.AssetKey(["reports", "insights"])
        assert instance.get_materialized_partitions(key) == {"2013-02-27", "2013-02-28", "2013-03-01"}
        assert instance.get_materialized_partitions(dg.AssetKey(["metrics", "weekly"])) == {"2013-02-25"}


def test_run_jobs_is_told_in_one_line_what_the_user_can_mend(settings: Settings) -> None:
    """No sandbox was ever started in the home: the raw steps fail, what they feed is not run."""
    told: list[StepEvent] = []
    assert not run_jobs(settings, FIRST, LAST, told.append)
    failed = {event.name: event.detail for event in told if event.state is StepState.FAILED}
    assert set(failed) == {"raw/alpha_vantage/daily_adjusted", "raw/finra_short_volume/daily"}
    assert all("sandbox was never started" in detail for detail in failed.values())
    assert {event.name for event in told if event.state is StepState.FINISHED} == {"metrics/weekly", "metrics/monthly"}


def test_step_event_reads_as_a_line() -> None:
    event = StepEvent("raw/kraken/ohlc", StepState.FAILED, 1.25, "no space")
    assert str(event) == "raw/kraken/ohlc: failed after 1.2 s (no space)"
    assert str(replace(event, state=StepState.STARTED, detail="")) == "raw/kraken/ohlc: started"


def test_instance_gets_the_shipped_configuration_anew_when_it_differs(workspace: Workspace) -> None:
    directory = ensure_instance(workspace.home)
    written = directory / "dagster.yaml"
    shipped = written.read_bytes()
    assert b"PooledSqliteEventLog" in shipped
    written.write_text("telemetry: {enabled: true}\n")
    assert ensure_instance(workspace.home) == directory
    assert written.read_bytes() == shipped


def test_shipped_configuration_is_what_stands_at_the_top() -> None:
    root = Path(__file__).parents[2]
    for name in ("dagster.yaml", "workspace.yaml"):
        assert (root / name).read_bytes() == (root / "finpipe" / "defs" / name).read_bytes()


def test_dagster_accepts_the_shipped_configuration(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = ensure_instance(workspace.home)
    monkeypatch.setenv("DAGSTER_HOME", str(directory))
    with dg.DagsterInstance.get() as instance:
        assert type(instance.event_log_storage).__name__ == "PooledSqliteEventLog"
        assert instance.run_monitoring_enabled
        assert not instance.telemetry_enabled
