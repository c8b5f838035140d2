"""Every step after the fetch, in order: what a run without Dagster does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from finpipe.pipeline.core import build_core, build_instruments
from finpipe.pipeline.derive import Built
from finpipe.pipeline.measure import Frequency, measure
from finpipe.pipeline.report import REPORT_NAMES, build_report
from finpipe.pipeline.stage import stage_dataset
from finpipe.pipeline.workspace import Workspace
from finpipe.schemas import STAGED

_FREQUENCIES: tuple[Frequency, ...] = ("daily", "weekly", "monthly")

Step = tuple[str, Mapping[str, int | str]]


def build_all(workspace: Workspace) -> Iterator[Step]:
    """Bring every table up to date with raw; yields each step's name and what it did."""
    for source, dataset in workspace.catalogue.datasets():
        yield f"staging/{source.name}/{dataset.name}", stage_dataset(workspace, source, dataset).as_metadata()
    yield _told(build_instruments(workspace))
    for canonical in STAGED:
        yield _told(build_core(workspace, canonical))
    for frequency in _FREQUENCIES:
        yield _told(measure(workspace, frequency))
    for name in REPORT_NAMES:
        yield _told(build_report(workspace, name))


def _told(built: Built) -> Step:
    return built.table, built.as_metadata()
