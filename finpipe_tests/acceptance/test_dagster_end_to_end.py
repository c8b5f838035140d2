"""Webserver, code servers and daemon as `finpipe up` starts them, spoken to over GraphQL as the UI does."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import polars as pl
import pytest

from finpipe.home import Home
from finpipe.pipeline.workspace import SandboxState
from finpipe.sandbox.options import SandboxOptions
from finpipe.sandbox.packaged import packaged_bars
from finpipe.sandbox.server import RunningSandbox, start_in_thread
from finpipe.settings import Profile
from finpipe.stores.lake import Lake

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(420)]

SCALE = 100_000.0  # pace is the fetch tests' subject
FIRST, LAST = date(2013, 1, 1), date(2013, 3, 1)  # 60 dates, 41 sessions
RAW = ["raw/alpha_vantage/daily_adjusted", "raw/finra_short_volume/daily"]
DAILY = [
    *RAW,
    "staging/alpha_vantage/daily_adjusted",
    "staging/finra_short_volume/daily",
    *(f"core/{name}" for name in ("instruments", "bars_daily", "corporate_actions", "short_volume")),
    "metrics/daily",
    *(f"reports/{name}" for name in ("market_summary", "movers", "insights", "data_health")),
]
UP = """
import sys
from finpipe.cli.up import up
from finpipe.settings import Settings
up(Settings.read(), port=int(sys.argv[1]), with_sandbox=False)
"""


@pytest.fixture(scope="module")
def bars_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bars") / "bars.parquet"
    bars = packaged_bars().rename({"session": "date"})
    bars.filter(pl.col("symbol").is_in(["IBM", "MSFT"]) & (pl.col("date") >= date(2012, 6, 1))).write_parquet(path)
    return path


@dataclass(frozen=True)
class System:
    """A home, what runs over it, and the sandbox it knows at the moment."""

    home: Home
    url: str
    bars: Path

    @contextmanager
    def sandbox(self, *, fail: str = "") -> Iterator[RunningSandbox]:
        options = SandboxOptions(
            port=0, time_scale=SCALE, bars=self.bars, plans={"alpha_vantage": "premium"}, fail=frozenset(fail.split())
        )
        overlay: dict[str, Any] = {"alpha_vantage": {"limits": {"quota": []}}}
        with start_in_thread(options) as running:
            SandboxState(running.base_url, running.state.now_offset_seconds, SCALE, overlay).write(self.home)
            self.home.universe.write_text("\n".join(running.symbols))
            yield running

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})  # noqa: S310 - ours
        with urlopen(request, timeout=60) as answer:  # noqa: S310 - ours
            content = json.load(answer)
        assert "errors" not in content, content["errors"]
        return content["data"]

    def backfill(self, first: date, last: date) -> int:
        """Backfill every daily asset, wait for the end, and tell how many runs it took."""
        days = [str(first + timedelta(days=n)) for n in range((last - first).days + 1)]
        asked = {"assetSelection": [{"path": key.split("/")} for key in DAILY], "partitionNames": days}
        launched = self.ask(LAUNCH_BACKFILL, asked=asked)["launchPartitionBackfill"]
        backfill = launched["backfillId"]
        status = _waited(lambda: self.ask(BACKFILL, id=backfill)["partitionBackfillOrError"]["status"])
        assert status == "COMPLETED_SUCCESS"
        return len(self.ask(RUNS, id=backfill)["runsOrError"]["results"])

    def run_daily(self, first: date, last: date) -> str:
        """Launch the daily job for a range of dates and wait for the end; its status."""
        tags = {"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)}
        asked = {
            "selector": {
                "repositoryLocationName": "finpipe",
                "repositoryName": "__repository__",
                "jobName": "daily",
            },
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        launched = self.ask(LAUNCH_RUN, asked=asked)["launchRun"]
        run = launched["run"]["runId"]
        return str(_waited(lambda: self.ask(RUN, id=run)["runOrError"]["status"]))

    def materialized(self) -> dict[str, int]:
        """Asset -> how many of its partitions are materialized."""
        nodes = self.ask(STATES)["assetNodes"]
        return {"/".join(n["assetKey"]["path"]): n["partitionStats"]["numMaterialized"] for n in nodes}

    def checks(self) -> dict[str, bool]:
        """Check -> whether its newest evaluation passed."""
        return {
            f"{'/'.join(node['assetKey']['path'])}:{check['name']}": execution["evaluation"]["success"]
            for node in self.ask(STATES)["assetNodes"]
            for check in node["assetChecksOrError"].get("checks", [])
            if (execution := check["executionForLatestMaterialization"])
        }


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, bars_file: Path) -> Iterator[System]:
    home = Home.open(tmp_path_factory.mktemp("system") / "home", Profile.DEV)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    system = System(home, f"http://127.0.0.1:{port}", bars_file)
    with system.sandbox(), _upped(home, port):  # the definitions need a sandbox's note; each test starts its own
        yield system


def test_backfill_of_60_partitions_and_then_a_source_that_fails(
    system: System, fingerprints: Callable[[Lake], dict[str, str]]
) -> None:
    lake = Lake(system.home.lake)
    with system.sandbox() as sandbox:
        assert system.backfill(FIRST, LAST) <= 4
        assert system.materialized() == {**dict.fromkeys(DAILY, 60), "metrics/weekly": 0, "metrics/monthly": 0}
        assert all(system.checks().values()), system.checks()
        tables, sent = fingerprints(lake), len(sandbox.arrivals())
        assert len(sandbox.arrivals("finra_short_volume")) == 41
        assert {"core/bars_daily", "metrics/daily", "reports/insights"} <= tables.keys()

        assert system.backfill(FIRST, LAST) <= 4
        assert len(sandbox.arrivals()) == sent
        assert fingerprints(lake) == tables

    with system.sandbox(fail="finra_short_volume"):
        assert system.run_daily(date(2012, 12, 1), date(2012, 12, 31)) == "SUCCESS"
        red = {name for name, passed in system.checks().items() if not passed}
        assert red == {"raw/finra_short_volume/daily:fetched"}
        assert system.materialized() == {**dict.fromkeys(DAILY, 91), "metrics/weekly": 0, "metrics/monthly": 0}


@contextmanager
def _upped(home: Home, port: int) -> Iterator[None]:
    environment = {**os.environ, "FINPIPE_HOME": str(home.root), "FINPIPE_PROFILE": "dev"}
    command = [sys.executable, "-c", UP, str(port)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = [process.stdout.readline() for _ in range(3)]
            assert told[0] == f"webserver: http://127.0.0.1:{port}\n", told
            yield
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0


def _waited(status: Callable[[], str]) -> str:
    while (now := status()) in ("REQUESTED", "COMPLETING", "QUEUED", "NOT_STARTED", "STARTING", "STARTED"):
        time.sleep(0.5)
    return now


LAUNCH_BACKFILL = """
mutation ($asked: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $asked) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}"""
BACKFILL = """
query ($id: String!) {
  partitionBackfillOrError(backfillId: $id) { __typename ... on PartitionBackfill { status } }
}"""
RUNS = """
query ($id: String!) {
  runsOrError(filter: {tags: [{key: "dagster/backfill", value: $id}]}) { ... on Runs { results { runId status } } }
}"""
LAUNCH_RUN = """
mutation ($asked: ExecutionParams!) {
  launchRun(executionParams: $asked) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""
RUN = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
STATES = """
query {
  assetNodes {
    assetKey { path }
    partitionStats { numMaterialized }
    assetChecksOrError {
      ... on AssetChecks { checks { name executionForLatestMaterialization { evaluation { success } } } }
    }
  }
}"""
