"""A small world to fetch in: a calendar of weekdays, sources of every span, a transport that plays a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest

from finpipe.calendars import Calendar
from finpipe.clock import Clock, ManualClock
from finpipe.fetch import Ask, Ledger
from finpipe.fetch.planner import Request
from finpipe.fetch.transport import Answer, Gate, TransportFailure
from finpipe.raw.store import RawStore
from finpipe.sources.spec import Source

NOW = datetime(2013, 3, 2, 0, 30, tzinfo=UTC)  # Friday evening in New York

BARS = {"table": "bars", "columns": {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}}


@pytest.fixture
def weekdays() -> Calendar:
    """A venue that opens on weekdays, but for New Year's Day."""
    first, last = date(2010, 1, 1), date(2015, 12, 31)
    closed = frozenset(date(year, 1, 1) for year in range(2010, 2016))
    return Calendar(
        "TEST", "America/New_York", "1", first, last, "1111100", time(9, 30), time(16), closed, frozenset(), {}
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


def _source(
    span: str = "session",
    *,
    dataset: dict[str, Any] | None = None,
    response: dict[str, Any] | None = None,
    **parts: Any,
) -> Source:
    item = {} if span == "session" else {"for_each": {"symbol": "universe"}}
    params = {"day": "{session}"} if span == "session" else {"symbol": "{symbol}"}
    own = {
        "name": "daily",
        "cadence": {"calendar": "TEST", "available": "T+0 18:00", "timezone": "America/New_York"},
        "span": span,
        **item,
        "endpoint": {"path": "/daily", "params": params},
        "response": {
            "format": "json",
            "require": "$.bars",
            "until": "$.until",
            "records": {"path": "$.bars", "key_as": "session"},
            "echo": {"symbol": "$.symbol"},
            "tables": [BARS],
            **(response or {}),
        },
        **(dataset or {}),
    }
    return Source.model_validate(
        {
            "source": "acme",
            "homepage": "https://acme.example",
            "client": {"base_url": "https://acme.example/api"},
            **parts,
            "limits": {"concurrency": 1, **parts.get("limits", {})},
            "datasets": [own],
        }
    )


@pytest.fixture
def make_source() -> Callable[..., Source]:
    """Builds a source `acme` with one dataset `daily` of the span asked for; parts can be replaced."""
    return _source


@pytest.fixture
def make_ask(weekdays: Calendar) -> Callable[..., Ask]:
    """Builds an ask for a source's only dataset."""

    def build(source: Source, *sessions: date, symbols: tuple[str, ...] = ("IBM",), refresh: bool = False) -> Ask:
        dataset = source.datasets[0]
        items = [{"symbol": symbol} for symbol in symbols] if dataset.for_each else [{}]
        return Ask(source, dataset, weekdays, items, list(sessions), refresh)

    return build


@pytest.fixture
def ledger(tmp_path: Path, clock: ManualClock) -> Iterator[Ledger]:
    found = Ledger(tmp_path / "state" / "ledger.sqlite", clock)
    yield found
    found.close()


@pytest.fixture
def raw(tmp_path: Path) -> RawStore:
    return RawStore(tmp_path / "raw")


Script = Callable[[Request, int], "tuple[int, dict[str, str], bytes] | TransportFailure | BaseException"]


@dataclass
class ScriptedTransport:
    """Answers what a script says, after passing the gate; remembers what was asked and when."""

    clock: Clock
    script: Script
    asked: list[Request] = field(default_factory=list)
    left_at: list[float] = field(default_factory=list)
    is_closed: bool = False

    async def send(self, request: Request, *, gate: Gate) -> Answer:
        await gate()
        self.asked.append(request)
        self.left_at.append(self.clock.monotonic())
        said = self.script(request, len(self.asked))
        if isinstance(said, BaseException):
            raise said
        status, headers, body = said
        return Answer(status, headers, body, self.clock.now(), self.clock.now())

    async def close(self) -> None:
        self.is_closed = True


def _good(request: Request, _: int) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, json.dumps({"bars": {}, "of": request.key}).encode()


@pytest.fixture
def good() -> Script:
    """A script that always has what was asked for."""
    return _good


@pytest.fixture
def make_transport(clock: ManualClock) -> Callable[..., ScriptedTransport]:
    """Builds a transport from a script of (request, how many were asked) -> answer or failure."""

    def build(script: Script = _good, *, of_clock: Clock | None = None) -> ScriptedTransport:
        return ScriptedTransport(of_clock or clock, script)

    return build


@pytest.fixture
def sleep(clock: ManualClock) -> Callable[[float], Any]:
    """Moves the clock instead of waiting."""

    async def advance(seconds: float) -> None:
        clock.advance(seconds)
        await asyncio.sleep(0)

    return advance
