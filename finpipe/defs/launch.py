"""Running the jobs of a home in the caller's process, on the instance that the UI shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from finpipe.clock import Clock
from finpipe.defs.event_log import PooledSqliteEventLog
from finpipe.defs.instance import ensure_instance
from finpipe.defs.partitions import range_tags
from finpipe.defs.runs import execute
from finpipe.defs.ticks import month_of, week_of
from finpipe.files import locked
from finpipe.pipeline.workspace import Workspace


class StepState(StrEnum):
    """What happened to a step."""

    STARTED = "started"
    FINISHED = "finished"
    FAILED = "failed"
    CHECK_FAILED = "check failed"


@dataclass(frozen=True)
class StepEvent:
    """Progress of a run, for people.

    Attributes:
        name: The asset's key, such as `raw/kraken/ohlc`; of a check of its own `<key>:<check>`.
        state: What happened to it.
        seconds: Since its step started.
        detail: Why it failed; the name of the check that did.
    """

    name: str
    state: StepState
    seconds: float
    detail: str = ""

    def __str__(self) -> str:
        after = "" if self.state is StepState.STARTED else f" after {self.seconds:.1f} s"
        return f"{self.name}: {self.state}{after}" + (f" ({self.detail})" if self.detail else "")


OnEvent = Callable[[StepEvent], None]


def run_jobs(definitions: dg.Definitions, workspace: Workspace, first: date, last: date, on_event: OnEvent) -> bool:
    """Run daily for a range of dates in one run, then weekly and monthly for the periods these lie in."""
    ranges = {
        "daily": range_tags(first, last),
        "weekly": range_tags(week_of(first), week_of(last)),
        "monthly": range_tags(month_of(first), month_of(last)),
    }
    teller = _Teller(_names_of_steps(definitions), workspace.clock, on_event)
    with open_instance(workspace) as instance:
        # All of them: a failure in one leaves the others what was there before.
        succeeded = [
            teller.follow(execute(definitions.resolve_job_def(job), instance, tags)) for job, tags in ranges.items()
        ]
    return all(succeeded)


@contextmanager
def open_instance(workspace: Workspace) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of a home, made when it is not there yet."""
    directory = str(ensure_instance(workspace.home))
    overrides = {
        "event_log_storage": {
            "module": PooledSqliteEventLog.__module__,
            "class": PooledSqliteEventLog.__name__,
            "config": {"base_dir": directory},
        },
        # Dagster captures what steps print by swapping this process's standard output, the caller's terminal.
        "compute_logs": {
            "module": "dagster._core.storage.noop_compute_log_manager",
            "class": "NoOpComputeLogManager",
        },
    }
    with locked(workspace.lock_file("dagster")):  # two first starts at once would both make the databases
        instance = dg.DagsterInstance.from_ref(InstanceRef.from_dir(directory, overrides=overrides))
    with instance:
        yield instance


class _Teller:
    """Tells of Dagster's events what people follow."""

    def __init__(self, names: Mapping[str, str], clock: Clock, on_event: OnEvent) -> None:
        self._names, self._clock, self._on_event = names, clock, on_event
        self._started: dict[str, float] = {}

    def follow(self, events: Iterable[dg.DagsterEvent]) -> bool:
        """Tell of a run's events as they happen; whether the run succeeded."""
        is_success = False
        for event in events:
            self._tell(event)
            is_success |= event.event_type is dg.DagsterEventType.RUN_SUCCESS
        return is_success

    def _tell(self, event: dg.DagsterEvent) -> None:
        step = event.step_key
        state = _state(event)
        if step is None or state is None:
            return
        now = self._clock.monotonic()
        if state is StepState.STARTED:
            self._started[step] = now
        self._on_event(StepEvent(self._names[step], state, now - self._started.get(step, now), _detail(event)))


def _state(event: dg.DagsterEvent) -> StepState | None:
    match event.event_type:
        case dg.DagsterEventType.STEP_START:
            return StepState.STARTED
        case dg.DagsterEventType.STEP_SUCCESS:
            return StepState.FINISHED
        case dg.DagsterEventType.STEP_FAILURE:
            return StepState.FAILED
        case dg.DagsterEventType.ASSET_CHECK_EVALUATION if not event.asset_check_evaluation_data.passed:
            return StepState.CHECK_FAILED
    return None


def _detail(event: dg.DagsterEvent) -> str:
    if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return event.asset_check_evaluation_data.check_name
    if not event.is_step_failure:
        return ""
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    error = failure.error and (failure.error.cause or failure.error)  # Dagster wraps what a step raised
    return error.message.strip() if error else ""


def _names_of_steps(definitions: dg.Definitions) -> dict[str, str]:
    """Step key -> the asset's key, or `<key>:<check>` of a check that is a step of its own."""
    assets = [one for one in definitions.assets or () if isinstance(one, dg.AssetsDefinition)]
    checks = [(one.op.name, one.check_key) for one in definitions.asset_checks or ()]
    return {
        **{one.op.name: one.key.to_user_string() for one in assets},
        **{step: f"{check.asset_key.to_user_string()}:{check.name}" for step, check in checks},
    }
