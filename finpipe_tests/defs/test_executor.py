"""The contract that dagster-async-executor must keep, and what happens where it does not."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import date
from importlib.metadata import version

import dagster as dg
import pytest

from finpipe.defs.executor import PROVEN, choose_executor, try_out
from finpipe.defs.partitions import Partitions, days_of, range_tags
from finpipe.defs.runs import execute

# The trial's ops and Dagster's own internals are marked beta here and there; what we use of it is tested below.
pytestmark = pytest.mark.filterwarnings("ignore:Parameter `backfill_policy`:dagster.BetaWarning")


def steps(events: Iterable[dg.DagsterEvent], kind: dg.DagsterEventType) -> Counter[str]:
    return Counter(event.step_key for event in events if event.event_type is kind and event.step_key)


def events_of(
    assets: list[dg.AssetsDefinition], instance: dg.DagsterInstance, tags: dict[str, str] | None = None
) -> list[dg.DagsterEvent]:
    job = dg.define_asset_job("all_of_them", dg.AssetSelection.all())
    definitions = dg.Definitions(assets=assets, jobs=[job], executor=choose_executor())
    return list(execute(definitions.resolve_job_def("all_of_them"), instance, tags))


def test_installed_pair_is_the_one_this_file_proves() -> None:
    assert (version("dagster"), version("dagster-async-executor")) == PROVEN


def test_async_executor_passes_its_own_trial() -> None:
    try_out(choose_executor())


def test_steps_interleave(instance: dg.DagsterInstance) -> None:
    meeting = asyncio.Barrier(5)

    def build(name: str) -> dg.AssetsDefinition:
        @dg.asset(name=name)
        async def one() -> None:
            await asyncio.wait_for(meeting.wait(), 10)

        return one

    events = events_of([build(f"source_{n}") for n in range(5)], instance)
    assert len(steps(events, dg.DagsterEventType.STEP_SUCCESS)) == 5


def test_a_failing_step_stops_only_what_it_feeds(instance: dg.DagsterInstance) -> None:
    @dg.asset
    async def sick() -> None:
        raise dg.Failure(description="always", allow_retries=False)

    @dg.asset(deps=[sick])
    async def fed_by_sick() -> None: ...

    @dg.asset
    async def healthy() -> None:
        await asyncio.sleep(0)

    @dg.asset(deps=[healthy])
    async def fed_by_healthy() -> None: ...

    events = events_of([sick, fed_by_sick, healthy, fed_by_healthy], instance)
    assert set(steps(events, dg.DagsterEventType.STEP_SUCCESS)) == {"healthy", "fed_by_healthy"}
    assert set(steps(events, dg.DagsterEventType.STEP_FAILURE)) == {"sick"}
    assert events[-1].event_type is dg.DagsterEventType.RUN_FAILURE


def test_a_step_is_retried_by_its_own_policy(instance: dg.DagsterInstance) -> None:
    attempts = []

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=2))
    async def flaky() -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise RuntimeError("not yet")

    @dg.asset(deps=[flaky])
    async def fed() -> None: ...

    events = events_of([flaky, fed], instance)
    assert steps(events, dg.DagsterEventType.STEP_UP_FOR_RETRY) == {"flaky": 2}
    assert set(steps(events, dg.DagsterEventType.STEP_SUCCESS)) == {"flaky", "fed"}


def test_one_run_materializes_50_partitions(instance: dg.DagsterInstance) -> None:
    daily = Partitions.between(date(2013, 1, 1), date(2013, 3, 1)).daily
    seen: list[date] = []

    @dg.asset(partitions_def=daily, backfill_policy=dg.BackfillPolicy.single_run())
    async def ranged(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        seen.extend(days_of(context.partition_keys))
        return dg.MaterializeResult(metadata={"rows": 1})

    events_of([ranged], instance, range_tags(date(2013, 1, 1), date(2013, 2, 19)))
    assert len(seen) == 50
    assert len(instance.get_materialized_partitions(dg.AssetKey("ranged"))) == 50


def test_executor_falls_back_when_the_package_is_absent() -> None:
    def absent() -> dg.ExecutorDefinition:
        raise ModuleNotFoundError("dagster_async_executor")

    assert choose_executor(absent) is dg.in_process_executor


def test_executor_falls_back_when_it_fails_its_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finpipe.defs.executor._MEET_SECONDS", 0.05)
    # The in-process executor never lets two steps meet: it stands for one that does not interleave.
    chosen = choose_executor(lambda: dg.in_process_executor, is_proven=False)
    assert chosen is dg.in_process_executor
    with pytest.raises(RuntimeError, match="failing"):
        try_out(dg.in_process_executor)
