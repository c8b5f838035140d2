"""A small literal world, and a client that asks the application without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

import httpx
import polars as pl
import pytest

from finpipe.clock import ManualClock
from finpipe.sandbox.actions import ACTIONS_SCHEMA
from finpipe.sandbox.app import build_app
from finpipe.sandbox.arrivals import Arrival, ArrivalLog
from finpipe.sandbox.options import SandboxOptions
from finpipe.sandbox.virtual_clock import VirtualClock
from finpipe.sandbox.world import World

EVENING = datetime(2013, 3, 2, 0, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Client:
    """Asks the application, and moves the time it is asked at."""

    clock: ManualClock
    log: ArrivalLog
    app: object

    def get(self, url: str, **headers: str) -> httpx.Response:
        return self._ask("GET", url, headers=headers)

    def post(self, url: str, **body: object) -> httpx.Response:
        return self._ask("POST", url, json=body)

    def arrivals(self, source: str | None = None) -> list[Arrival]:
        return self.log.of(source)

    def _ask(self, method: str, url: str, **given: object) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)  # type: ignore[arg-type]  # its own ASGI type
            async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
                return await client.request(method, url, **given)  # type: ignore[arg-type]  # passed through

        return asyncio.run(ask())


@pytest.fixture
def world() -> World:
    """AAA with a 2:1 split on its last session and a dividend before, BBB with a null and 5-decimal prices."""
    days = [date(2013, 2, 27), date(2013, 2, 28), date(2013, 3, 1)]
    bars = pl.DataFrame(
        {
            "symbol": ["AAA"] * 3 + ["BBB"] * 2,
            "session": [*days, *days[1:]],
            "open": [99.0, 100.0, 50.0, None, 0.12345],
            "high": [101.0, 102.5, 51.25, 10.0, 0.2],
            "low": [98.0, 99.0, 49.0, 9.0, 0.1],
            "close": [100.0, 100.0, 50.5, 9.5, 0.15],
            "volume": [1000, 1200, 2400, 0, 7],
        }
    )
    actions = pl.DataFrame(
        [
            ("AAA", days[1], "cash_dividend", 0.25, None),
            ("AAA", days[2], "split", None, 2.0),
        ],
        schema=ACTIONS_SCHEMA,
        orient="row",
    )
    return World(bars, actions)


@pytest.fixture
def open_client(world: World) -> Callable[..., Client]:
    """A client of that world at a given instant, under given options."""

    def open_one(now: datetime = EVENING, **options: object) -> Client:
        manual, log = ManualClock(now), ArrivalLog()
        clock = VirtualClock(manual, now)
        asked = SandboxOptions(**options)  # type: ignore[arg-type]  # the tests name its fields
        return Client(manual, log, build_app(asked, world, clock, log))

    return open_one
