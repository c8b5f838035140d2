"""Executing a job in this process, event by event.

Dagster's public ways either swap the executor for the in-process one (`execute_in_process`) or tell nothing before
the end (`execute_job`); this is what both are made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator

# Events are in the instance's log; the terminal belongs to the caller.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def execute(
    job: dg.JobDefinition, instance: dg.DagsterInstance, tags: Mapping[str, str] | None = None
) -> Iterator[dg.DagsterEvent]:
    """Run a job with its own executor, yielding its events as they happen; the run stands in the instance."""
    run = instance.create_run_for_job(job, run_config=_QUIET, tags=tags)
    yield from execute_run_iterator(InMemoryJob(job), run, instance)
