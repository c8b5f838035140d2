"""Limits, interleaving and kills over real processes and a real server, whose log is the judge."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from finpipe.clock import ManualClock
from finpipe.fetch import Ledger
from finpipe.raw.store import RawStore

pytestmark = [pytest.mark.integration, pytest.mark.drill, pytest.mark.timeout(180)]

WORKER = Path(__file__).with_name("drill_worker.py")
HEARTBEAT_SECONDS = 0.005


@dataclass(frozen=True)
class Arrival:
    """When a request was seen. On a busy machine the judge sleeps, too: it came after `not_before`."""

    path: str
    at: float
    not_before: float


@dataclass
class Upstream:
    """A server that says yes, and writes down when each request arrived."""

    port: int = 0
    delay_seconds: float = 0.0
    arrivals: list[Arrival] = field(default_factory=list)
    alive_at: float = 0.0
    has_started: threading.Event = field(default_factory=threading.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    loop: asyncio.AbstractEventLoop | None = None

    def of(self, source: str) -> list[Arrival]:
        found = (arrival for arrival in self.arrivals if arrival.path.startswith(f"/{source}/"))
        return sorted(found, key=lambda arrival: arrival.at)

    async def serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.has_started.set()
        heart = asyncio.create_task(self._beat())
        await self.stop.wait()
        heart.cancel()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _beat(self) -> None:
        while True:
            self.alive_at = time.monotonic()
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1].decode()
                self.arrivals.append(Arrival(path, time.monotonic(), not_before=self.alive_at))
                await asyncio.sleep(self.delay_seconds)
                body = json.dumps({"bars": {}, "of": path}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    found = Upstream()
    thread = threading.Thread(target=lambda: asyncio.run(found.serve()))
    thread.start()
    assert found.has_started.wait(10)
    yield found
    assert found.loop is not None
    found.loop.call_soon_threadsafe(found.stop.set)
    thread.join(10)


class Workers:
    """Processes that fetch over one home."""

    def __init__(self, home: Path, upstream: Upstream) -> None:
        self._job = {"home": str(home), "base_url": f"http://127.0.0.1:{upstream.port}"}
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._line() == "ready"

    def start(self, sources: list[dict[str, Any]], processes: int = 1) -> list[int]:
        """Let so many processes fetch; their ids."""
        assert self._process.stdin
        jobs = [{**self._job, "sources": sources}] * processes
        self._process.stdin.write(json.dumps(jobs) + "\n")
        self._process.stdin.flush()
        found: list[int] = json.loads(self._line())
        return found

    def exit_codes(self) -> list[int]:
        """Wait for those that were started."""
        found: list[int] = json.loads(self._line())
        return found

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()


@pytest.fixture
def workers(tmp_path: Path, upstream: Upstream) -> Iterator[Workers]:
    found = Workers(tmp_path, upstream)
    yield found
    found.close()


def source(name: str, requests: int, limit: int, period: str, concurrency: int = 4) -> dict[str, Any]:
    limits = {"windows": [{"limit": limit, "period": period}], "concurrency": concurrency}
    return {"name": name, "requests": requests, "limits": limits}


def violations(arrivals: list[Arrival], limit: int, seconds: float) -> list[float]:
    """By how much too soon an arrival came after the one `limit` places before it, where it did."""
    gaps = [later.at - earlier.not_before for earlier, later in zip(arrivals, arrivals[limit:], strict=False)]
    return [seconds - gap for gap in gaps if gap < seconds]


def test_three_processes_of_one_home_keep_a_limit_and_do_not_idle(workers: Workers, upstream: Upstream) -> None:
    workers.start([source("acme", requests=90, limit=10, period="1s")], processes=3)
    assert workers.exit_codes() == [0, 0, 0]
    arrivals = upstream.of("acme")
    assert len(arrivals) == 90  # the backlog is shared: nothing is asked twice
    assert violations(arrivals, limit=10, seconds=1.0) == []
    physical_limit = (90 - 10) / 10 * 1.0
    assert arrivals[-1].at - arrivals[0].at <= 1.25 * physical_limit


def test_one_source_runs_while_another_cools_down(workers: Workers, upstream: Upstream) -> None:
    slow, fast = source("slow", requests=10, limit=1, period="2s"), source("fast", requests=10, limit=5, period="1s")
    workers.start([slow, fast])
    assert workers.exit_codes() == [0]
    of_slow, of_fast = upstream.of("slow"), upstream.of("fast")
    assert len(of_slow) == len(of_fast) == 10
    assert violations(of_slow, limit=1, seconds=2.0) == violations(of_fast, limit=5, seconds=1.0) == []
    assert of_fast[-1].at < of_slow[2].at
    alone = (10 - 1) * 2.0
    assert of_slow[-1].at - min(of_slow[0].at, of_fast[0].at) <= 1.15 * alone


def test_kills_lose_nothing_and_double_nothing(workers: Workers, upstream: Upstream, tmp_path: Path) -> None:
    upstream.delay_seconds = 0.02
    concurrency, requests, moments = 4, 80, random.Random(7)  # noqa: S311 - moments to kill at
    backlog = [source("acme", requests, limit=1000, period="1s", concurrency=concurrency)]
    kills = 0
    for _ in range(10):
        (process,) = workers.start(backlog)
        time.sleep(moments.uniform(0.02, 0.35))
        os.kill(process, signal.SIGKILL)
        kills += workers.exit_codes() == [-signal.SIGKILL]
    workers.start(backlog)
    assert workers.exit_codes() == [0]
    assert kills >= 3  # so many came while there was work
    _check_nothing_is_lost_or_doubled(tmp_path, requests)
    # Fetched again is at most what was in flight.
    assert len(upstream.arrivals) - requests <= kills * concurrency


def _check_nothing_is_lost_or_doubled(home: Path, requests: int) -> None:
    ledger = Ledger(home / "state" / "ledger.sqlite", ManualClock(datetime(2013, 3, 1, tzinfo=UTC)))
    entries = ledger.entries("acme", "daily")
    covered = Counter(
        interval.first for intervals in ledger.covered("acme", "daily").values() for interval in intervals
    )
    ledger.close()
    assert Counter(entry.state for entry in entries) == {"done": requests}
    assert set(covered.values()) == {1}
    raw = RawStore(home / "raw")
    receipts = {receipt.id: receipt for receipt in raw.receipts("acme", "daily")}  # each can be read
    for entry in entries:
        receipt = receipts[str(entry.receipt)]
        assert receipt.request == entry.request.key
        body = json.loads(raw.get(str(receipt.sha256)))  # whole: its hash is its name
        assert body["of"] == f"/acme/{entry.request.first}"
