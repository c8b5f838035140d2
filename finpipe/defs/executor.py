"""How the steps of a run are executed: in one process and one event loop, sources interleaved.

dagster-async-executor is a young community package that reaches into Dagster's private modules. The pair of
versions that our contract test holds for is trusted; any other is tried on a small job first. Where it is missing
or fails, Dagster's own in-process executor does the same work, one step after another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version

import dagster as dg

from finpipe.defs.runs import execute

logger = logging.getLogger(__name__)

PROVEN = ("1.13.27", "0.0.4")  # dagster, dagster-async-executor; trying costs each process 1.4 CPU-seconds
_MEET_SECONDS = 10


def choose_executor(
    load: Callable[[], dg.ExecutorDefinition] | None = None, *, is_proven: bool | None = None
) -> dg.ExecutorDefinition:
    """The async executor where it keeps its contract, else the in-process executor.

    Args:
        load: Gives the executor; the installed package's when None.
        is_proven: Whether it may be trusted untried; looked up when None.
    """
    try:
        executor = (load or _installed)()
        if not (_is_proven() if is_proven is None else is_proven):
            try_out(executor)
    except Exception:  # whatever a foreign package does wrong, there is a way without it
        logger.warning(
            "dagster-async-executor cannot be used here: a run's sources are fetched one after another.",
            exc_info=True,
            extra={"event": "executor_fallback"},
        )
        return dg.in_process_executor
    return executor


def try_out(executor: dg.ExecutorDefinition) -> None:
    """Run two steps that wait for each other, beside one that fails.

    Raises:
        RuntimeError: The two did not meet, or the failure was lost or spread.
    """
    with dg.DagsterInstance.ephemeral() as instance:
        events = list(execute(_trial(executor), instance))
    ended_well = {event.step_key for event in events if event.is_step_success}
    failed = {event.step_key for event in events if event.is_step_failure}
    if ended_well != {"left", "right"} or failed != {"failing"}:
        raise RuntimeError(f"of the steps left, right and failing, {ended_well} succeeded and {failed} failed")


def _installed() -> dg.ExecutorDefinition:
    executor: dg.ExecutorDefinition = import_module("dagster_async_executor").async_executor
    return executor


def _is_proven() -> bool:
    return (version("dagster"), version("dagster-async-executor")) == PROVEN


def _trial(executor: dg.ExecutorDefinition) -> dg.JobDefinition:
    meeting = asyncio.Barrier(2)

    async def meet() -> None:
        await asyncio.wait_for(meeting.wait(), _MEET_SECONDS)

    @dg.op
    async def left() -> None:
        await meet()

    @dg.op
    async def right() -> None:
        await meet()

    @dg.op
    async def failing() -> None:
        raise dg.Failure(description="a step of the trial that must fail")

    @dg.job(executor_def=executor)
    def trial() -> None:
        left()
        right()
        failing()

    return trial
