"""A home of the dev profile, and a Dagster instance that lives for one test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from finpipe.clock import ManualClock
from finpipe.pipeline.workspace import SandboxState, Workspace
from finpipe.settings import Settings

NOW = datetime(2013, 3, 2, 0, 30, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty home whose sandbox is told of, and not there; its clock stands."""
    opened = Workspace.open(Settings.read({"FINPIPE_HOME": str(tmp_path / "home")}))
    return replace(opened, clock=ManualClock(NOW), sandbox=SandboxState("http://127.0.0.1:9", 0.0, 1.0, {}))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral
