"""Schedules from cadences, and the sensor that takes up what waits in the ledger."""

# No `from __future__ import annotations`: Dagster reads the annotations of what it decorates, as types.
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import dagster as dg
from dagster._core.definitions.target import ExecutableDefinition

from finpipe.defs.partitions import Partitions, range_tags
from finpipe.defs.ticks import Alarm, Completed, Pace, completed, latest
from finpipe.pipeline.health import due_work
from finpipe.pipeline.workspace import Workspace
from finpipe.sources.spec import Dataset, Source

_SENSOR_SECONDS = 60
_AFTER_DAILY = timedelta(hours=1)


def job_name(source: Source, dataset: Dataset) -> str:
    """Name of the job that fetches and stages one dataset."""
    return f"{source.name}__{dataset.name}"


@dataclass(frozen=True)
class Timetable:
    """When a job is ticked, and for which partitions.

    Attributes:
        job: Name of the job, and of its schedule.
        alarm: When it ticks, once a day.
        datasets: What must be out.
        partitions: Of the job.
        choose: Partitions to run, of the dates that became complete for all datasets of these paces.
    """

    job: str
    alarm: Alarm
    datasets: Sequence[Dataset]
    partitions: dg.TimeWindowPartitionsDefinition
    choose: Callable[[Completed, Sequence[Pace]], list[date]]

    def due_at(self, instant: datetime, workspace: Workspace) -> list[str]:
        """Partition keys that a tick at a (virtual) instant asks for."""
        cadences = [dataset.cadence for dataset in self.datasets]
        paces = [Pace(workspace.calendar(cadence.calendar), cadence.available.lag) for cadence in cadences]
        chosen = self.choose(completed(paces, self.alarm.day_at(instant)), paces)
        return [str(day) for day in chosen if self.partitions.has_partition_key(str(day))]


def timetables(workspace: Workspace, partitions: Partitions) -> list[Timetable]:
    """Each dataset's own when it is available, daily when all grace has passed, weekly and monthly an hour later."""
    pairs = workspace.catalogue.datasets()
    if not pairs:
        return []
    every = [dataset for _, dataset in pairs]
    alarm = latest([dataset.cadence for dataset in every])
    later = alarm.later(_AFTER_DAILY)
    return [
        *(
            Timetable(
                job_name(source, dataset), Alarm.of(dataset.cadence), [dataset], partitions.daily, Completed.sessions
            )
            for source, dataset in pairs
        ),
        Timetable("daily", alarm, every, partitions.daily, Completed.sessions),
        Timetable("weekly", later, every, partitions.weekly, lambda done, _: done.weeks()),
        Timetable("monthly", later, every, partitions.monthly, lambda done, _: done.months()),
    ]


def build_schedule(timetable: Timetable, *, is_running: bool) -> dg.ScheduleDefinition:
    """The schedule of a timetable; a run key a partition, so that none is run twice by it."""

    @dg.schedule(
        name=timetable.job,
        job_name=timetable.job,
        cron_schedule=timetable.alarm.cron,
        execution_timezone=timetable.alarm.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING if is_running else dg.DefaultScheduleStatus.STOPPED,
    )
    def tick(
        context: dg.ScheduleEvaluationContext, workspace: dg.ResourceParam[Workspace]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        instant = virtual(workspace, context.scheduled_execution_time)
        keys = timetable.due_at(instant, workspace)
        if not keys:
            return dg.SkipReason(f"nothing is due on {timetable.alarm.day_at(instant)}")
        return [dg.RunRequest(run_key=f"{timetable.job}:{key}", partition_key=key) for key in keys]

    return tick


def build_freshness_schedule(*, is_running: bool) -> dg.ScheduleDefinition:
    """Look every hour whether what should be there is there."""
    return dg.ScheduleDefinition(
        name="freshness",
        job_name="freshness",
        cron_schedule="5 * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING if is_running else dg.DefaultScheduleStatus.STOPPED,
    )


def build_parked_work(
    jobs: Sequence[ExecutableDefinition], daily: dg.TimeWindowPartitionsDefinition, *, is_running: bool
) -> dg.SensorDefinition:
    """Run a dataset's job again when requests that were parked or put off are due."""

    @dg.sensor(
        name="parked_work",
        jobs=jobs,
        minimum_interval_seconds=_SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if is_running else dg.DefaultSensorStatus.STOPPED,
        description="Runs a dataset's job again when requests that were parked or put off are due.",
    )
    def parked_work(workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.RunRequest]:
        for source, dataset in workspace.catalogue.datasets():
            waiting = due_work(workspace, source, dataset)
            days = [day for day in (waiting.days if waiting else ()) if daily.has_partition_key(str(day))]
            if waiting and days:
                yield dg.RunRequest(
                    # A request that stays due (its secret is missing) is not run again and again.
                    run_key=f"{job_name(source, dataset)}:{waiting.due.isoformat()}",
                    job_name=job_name(source, dataset),
                    tags=range_tags(days[0], days[-1]),
                )

    return parked_work


def virtual(workspace: Workspace, instant: datetime) -> datetime:
    """A real instant in the world of the home: the sandbox's, in the dev profile."""
    return instant + timedelta(seconds=workspace.sandbox.now_offset_seconds if workspace.sandbox else 0)
