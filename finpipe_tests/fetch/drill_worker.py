"""Fetches in processes of its own, for drills: reads a JSON list of jobs a line, forks one process for each,
writes their ids, and when all have ended their exit codes.

Importing finpipe once and forking keeps ten kills from costing ten imports.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

from finpipe.calendars import Calendar
from finpipe.clock import SystemClock
from finpipe.fetch import ApiManager, Ask, Ledger, SqliteLimits
from finpipe.fetch.client import HttpTransport  # imported before the fork
from finpipe.raw.store import RawStore
from finpipe.sources.spec import Source

EVERY_DAY = Calendar(
    "D", "UTC", "1", date(2013, 1, 1), date(2099, 12, 31), "1111111", time(0), time(0), frozenset(), frozenset(), {}
)
MAPPING = {"table": "bars", "columns": {n: n for n in ("symbol", "session", "open", "high", "low", "close")}}


def ask_of(spec: dict[str, Any], base_url: str) -> Ask:
    """Asks `requests` days of a source that serves a JSON body a day."""
    dataset = {
        "name": "daily",
        "cadence": {"calendar": "D", "available": "T+1 00:00", "timezone": "UTC"},
        "span": "session",
        "endpoint": {"path": "/{session:%Y-%m-%d}"},
        "response": {"format": "json", "require": "$.bars", "tables": [MAPPING]},
    }
    source = Source.model_validate(
        {
            "source": spec["name"],
            "homepage": "",
            "client": {"base_url": f"{base_url}/{spec['name']}", "timeout": "20s"},
            "limits": spec["limits"],
            "datasets": [dataset],
        }
    )
    days = [EVERY_DAY.first + timedelta(days=n) for n in range(spec["requests"])]
    return Ask(source, source.datasets[0], EVERY_DAY, [{}], days)


async def fetch(job: dict[str, Any]) -> bool:
    """Run one job in this process; whether all of it was had."""
    home, clock = Path(job["home"]), SystemClock()
    ledger, limits = Ledger(home / "state/ledger.sqlite", clock), SqliteLimits(home / "state/limits.sqlite", clock)
    manager = ApiManager(
        ledger=ledger,
        limits=limits,
        raw=RawStore(home / "raw"),
        clock=clock,
        secret=lambda source, variable: f"{source} {variable}",
        patience_seconds=30,
        transport_for=lambda source: HttpTransport(source.client, "", clock),
    )
    outcomes = await manager.fetch([ask_of(spec, job["base_url"]) for spec in job["sources"]])
    return all(outcome.is_complete for outcome in outcomes)


def forked(job: dict[str, Any]) -> int:
    process = os.fork()
    if process == 0:
        code = 70
        try:
            code = 0 if asyncio.run(fetch(job)) else 1
        finally:
            os._exit(code)
    return process


def main() -> None:
    print("ready", flush=True)  # noqa: T201 - this is how it talks
    for line in sys.stdin:
        processes = [forked(job) for job in json.loads(line)]
        print(json.dumps(processes), flush=True)  # noqa: T201
        codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]
        print(json.dumps(codes), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
