"""What a ledger holds of a request, and how that stands in its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

import orjson

from finpipe.fetch.planner import Covered, Request
from finpipe.raw.receipt import item_key


class RequestState(StrEnum):
    """Where a request stands."""

    READY = "ready"  # to be asked when it is due
    LEASED = "leased"  # somebody is asking
    DONE = "done"
    PARKED = "parked"  # waits for a quota's next day, or for a source that turned us away
    DEAD = "dead"  # given up; `outcome` says why


@dataclass(frozen=True)
class Claim:
    """A request that is ours until the lease passes."""

    request: Request
    attempt: int  # attempts that failed before
    token: str  # ends the id of the receipt this attempt will leave
    is_reclaimed: bool  # an earlier holder may have left that receipt already


@dataclass(frozen=True)
class Conclusion:
    """What an attempt changes in its request."""

    state: RequestState
    due: datetime
    attempt: int
    outcome: str
    error: str = ""
    status: int | None = None
    receipt: str | None = None
    sha256: str | None = None
    reached: date | None = None  # last session the answer covered; null: it covered none
    received_at: datetime | None = None


@dataclass(frozen=True)
class Entry:
    """A request as the ledger has it."""

    request: Request
    state: RequestState
    due: datetime  # of the next attempt; of the last one when it is done or dead
    attempt: int
    outcome: str | None
    status: int | None
    receipt: str | None
    sha256: str | None
    reached: date | None
    received_at: datetime | None
    error: str
    last_change: datetime

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done."""
        return self.state not in (RequestState.DONE, RequestState.DEAD)


def text_of(instant: datetime) -> str:
    """An instant as a row holds it: UTC, and in an order that is the order of its letters."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def values_of(request: Request) -> dict[str, str]:
    """A request as a row holds it."""
    return {
        "key": request.key,
        "source": request.source,
        "dataset": request.dataset,
        "path": request.path,
        "params": orjson.dumps(dict(request.params)).decode(),
        "item": item_key(request.item),
        "first": request.first.isoformat(),
        "last": request.last.isoformat(),
        "available": text_of(request.available),
        "due": text_of(request.due),
    }


def request_of(row: Mapping[str, Any]) -> Request:
    """The request of a row."""
    return Request(
        key=row["key"],
        source=row["source"],
        dataset=row["dataset"],
        path=row["path"],
        params=orjson.loads(row["params"]),
        item=orjson.loads(row["item"]),
        first=date.fromisoformat(row["first"]),
        last=date.fromisoformat(row["last"]),
        available=datetime.fromisoformat(row["available"]),
        due=datetime.fromisoformat(row["due"]),
    )


def entry_of(row: Mapping[str, Any]) -> Entry:
    """The entry of a row."""
    return Entry(
        request=request_of(row),
        state=RequestState(row["state"]),
        due=datetime.fromisoformat(row["due"]),
        attempt=row["attempt"],
        outcome=row["outcome"],
        status=row["status"],
        receipt=row["receipt"],
        sha256=row["sha256"],
        reached=date.fromisoformat(row["reached"]) if row["reached"] else None,
        received_at=datetime.fromisoformat(row["received_at"]) if row["received_at"] else None,
        error=row["error"],
        last_change=datetime.fromisoformat(row["last_change"]),
    )


def covered_of(row: Mapping[str, Any]) -> Covered:
    """The interval of a row."""
    first, last = date.fromisoformat(row["first"]), date.fromisoformat(row["last"])
    return Covered(first, last, datetime.fromisoformat(row["received_at"]))
