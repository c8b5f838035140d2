from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from finpipe.definitions import build_definitions
from finpipe.defs.automation import timetables, virtual
from finpipe.defs.partitions import Partitions, range_tags
from finpipe.fetch.planner import Request
from finpipe.pipeline.workspace import Workspace
from finpipe.sources.grammar import Available
from finpipe.sources.reading import Catalogue
from finpipe.sources.spec import Source

RAW = {"raw/alpha_vantage/daily_adjusted", "raw/finra_short_volume/daily"}
STAGING = {key.replace("raw", "staging", 1) for key in RAW}


@pytest.fixture
def definitions(workspace: Workspace) -> dg.Definitions:
    return build_definitions(workspace)


def parents(definitions: dg.Definitions) -> dict[str, set[str]]:
    graph = definitions.resolve_asset_graph()
    return {node.key.to_user_string(): {key.to_user_string() for key in node.parent_keys} for node in graph.asset_nodes}


def test_assets_are_built_from_what_feeds_them(definitions: dg.Definitions) -> None:
    prices = {"core/bars_daily", "core/corporate_actions"}
    assert parents(definitions) == {
        **{key: set() for key in RAW},
        **{key: {key.replace("staging", "raw", 1)} for key in STAGING},
        "core/instruments": STAGING,
        "core/bars_daily": {"core/instruments", "staging/alpha_vantage/daily_adjusted"},
        "core/corporate_actions": {"core/instruments", "staging/alpha_vantage/daily_adjusted"},
        "core/short_volume": {"core/instruments", "staging/finra_short_volume/daily"},
        "metrics/daily": {*prices, "core/short_volume"},
        "metrics/weekly": prices,
        "metrics/monthly": prices,
        "reports/market_summary": {*prices, "metrics/daily"},
        "reports/movers": {*prices, "metrics/daily"},
        "reports/insights": {*prices, "metrics/daily"},
        "reports/data_health": STAGING,
    }


def test_groups_are_the_layers_and_pools_the_sources(definitions: dg.Definitions) -> None:
    nodes = definitions.resolve_asset_graph().asset_nodes
    assert all(node.group_name == node.key.path[0] for node in nodes)
    assert all(node.pools == {node.key.path[1]} for node in nodes if node.key.path[0] == "raw")


def test_every_asset_runs_a_range_in_one_run_and_is_described(definitions: dg.Definitions) -> None:
    for node in definitions.resolve_asset_graph().asset_nodes:
        assert node.backfill_policy == dg.BackfillPolicy.single_run(), node.key
        assert node.description, node.key


def test_checks_of_each_dataset(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    checks = {(key.asset_key.to_user_string(), key.name): graph.get(key).blocking for key in graph.asset_check_keys}
    expected = {(key, "fetched"): False for key in RAW} | {(key, "accounted"): True for key in STAGING}
    expected |= {(key, name): False for key in STAGING for name in ("contract", "fresh")}
    assert checks == expected | {("core/corporate_actions", "usable"): False}


def test_jobs_hold_one_cadence_each(definitions: dg.Definitions) -> None:
    jobs = {job.name: job for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")}
    held = {name: {key.to_user_string() for key in job.asset_layer.selected_asset_keys} for name, job in jobs.items()}
    every = set(parents(definitions))
    assert held == {
        "daily": every - {"metrics/weekly", "metrics/monthly"},
        "weekly": {"metrics/weekly"},
        "monthly": {"metrics/monthly"},
        "freshness": set(),
        "alpha_vantage__daily_adjusted": {"raw/alpha_vantage/daily_adjusted", "staging/alpha_vantage/daily_adjusted"},
        "finra_short_volume__daily": {"raw/finra_short_volume/daily", "staging/finra_short_volume/daily"},
    }


def test_schedules_start_switched_on_only_when_the_settings_say_so(workspace: Workspace) -> None:
    def running(opened: Workspace) -> set[bool]:
        repository = build_definitions(opened).get_repository_def()
        schedules = {one.default_status is dg.DefaultScheduleStatus.RUNNING for one in repository.schedule_defs}
        return schedules | {one.default_status is dg.DefaultSensorStatus.RUNNING for one in repository.sensor_defs}

    assert running(workspace) == {False}
    assert running(replace(workspace, settings=replace(workspace.settings, schedules_running=True))) == {True}


def test_home_without_a_readable_source_still_loads(workspace: Workspace) -> None:
    definitions = build_definitions(replace(workspace, catalogue=Catalogue({}, (), {})))
    dg.Definitions.validate_loadable(definitions)


def ticks_of(schedule: dg.ScheduleDefinition, first: date, last: date) -> list[datetime]:
    """The instants Dagster's daemon ticks the schedule at."""
    start, end = (datetime.combine(day, datetime.min.time(), UTC) for day in (first, last))
    ticks = schedule_execution_time_iterator(
        start.timestamp(), schedule.cron_schedule, schedule.execution_timezone, ascending=True
    )
    return list(takewhile(lambda tick: tick < end, ticks))


@pytest.mark.parametrize("available", ["T+0 18:00", "T+1 02:30"])
def test_a_year_of_ticks_asks_for_every_session_once(workspace: Workspace, available: str) -> None:
    """Across both clock changes, holidays and early closes; 02:30 is skipped once and comes twice once."""
    opened = with_availability(replace(workspace, sandbox=None), available)
    definitions = build_definitions(opened)
    first, last = date(2012, 1, 3), date(2013, 1, 10)
    requested = {
        timetable.job: [
            key
            for tick in ticks_of(definitions.resolve_schedule_def(timetable.job), first, last)
            for key in timetable.due_at(tick, opened)
        ]
        for timetable in timetables(opened, Partitions.of(opened))
    }
    sessions = [str(day) for day in opened.calendar("XNYS").sessions(date(2012, 1, 5), date(2013, 1, 4))]
    for job in ("alpha_vantage__daily_adjusted", "finra_short_volume__daily", "daily"):
        assert [key for key in requested[job] if sessions[0] <= key <= sessions[-1]] == sessions
    weeks = [date.fromisoformat(key) for key in requested["weekly"]]
    assert weeks == [weeks[0] + timedelta(days=7 * n) for n in range(len(weeks))]
    assert weeks[0] <= date(2012, 1, 9)
    assert weeks[-1] == date(2012, 12, 31)
    assert requested["monthly"][-12:] == [f"2012-{month:02d}-01" for month in range(1, 13)]


def test_tick_gives_each_partition_one_run_key_and_says_why_it_skips(
    workspace: Workspace, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    def evaluated(tick: datetime) -> dg.SkipReason | list[tuple[str | None, str | None]]:
        context = dg.build_schedule_context(
            instance,
            scheduled_execution_time=tick,
            resources={"workspace": workspace},
            repository_def=definitions.get_repository_def(),
        )
        with context:
            data = definitions.resolve_schedule_def("daily").evaluate_tick(context)
        return [(one.run_key, one.partition_key) for one in data.run_requests or ()] or dg.SkipReason(data.skip_message)

    assert evaluated(datetime(2013, 3, 1, 3, 0, tzinfo=UTC)) == [("daily:2013-02-28", "2013-02-28")]
    assert evaluated(datetime(2013, 2, 24, 3, 0, tzinfo=UTC)) == dg.SkipReason("nothing is due on 2013-02-23")


def test_tick_speaks_of_the_sandbox_s_day_in_the_dev_profile(workspace: Workspace) -> None:
    assert workspace.sandbox is not None
    tick = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
    offset = (datetime(2013, 3, 1, 23, 0, tzinfo=UTC) - tick).total_seconds()
    opened = replace(workspace, sandbox=replace(workspace.sandbox, now_offset_seconds=offset))
    own = timetables(opened, Partitions.of(opened))[0]
    assert own.due_at(virtual(opened, tick), opened) == ["2013-03-01"]


def test_parked_work_runs_a_dataset_again_once_for_each_due_instant(
    workspace: Workspace, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    def requested() -> list[tuple[str | None, str | None, dict[str, str]]]:
        with dg.build_sensor_context(instance, resources={"workspace": workspace}, definitions=definitions) as context:
            data = definitions.resolve_sensor_def("parked_work").evaluate_tick(context)
        return [(one.run_key, one.job_name, range_of(one)) for one in data.run_requests or ()]

    assert requested() == []
    due = workspace.clock.now()
    workspace.ledger.enqueue(request(date(2013, 2, day), due) for day in (26, 27))
    job = "finra_short_volume__daily"
    assert requested() == [(f"{job}:{due.isoformat()}", job, range_tags(date(2013, 2, 26), date(2013, 2, 27)))]
    assert workspace.ledger.claim("finra_short_volume", ["daily"], 60.0)  # somebody is at it
    assert requested() == []


def range_of(asked: dg.RunRequest) -> dict[str, str]:
    return {name: value for name, value in asked.tags.items() if name.startswith("dagster/asset_partition_range")}


def request(session: date, due: datetime) -> Request:
    return Request(
        key=str(session),
        source="finra_short_volume",
        dataset="daily",
        path="/",
        params={},
        item={},
        first=session,
        last=session,
        available=due,
        due=due,
    )


def with_availability(workspace: Workspace, available: str) -> Workspace:
    def changed(source: Source) -> Source:
        cadences = [
            dataset.cadence.model_copy(update={"available": Available.parse(available)}) for dataset in source.datasets
        ]
        datasets = [
            one.model_copy(update={"cadence": cadence}) for one, cadence in zip(source.datasets, cadences, strict=True)
        ]
        return source.model_copy(update={"datasets": tuple(datasets)})

    sources = {name: changed(source) for name, source in workspace.catalogue.sources.items()}
    return replace(workspace, catalogue=replace(workspace.catalogue, sources=sources))
