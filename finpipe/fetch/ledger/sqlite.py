"""The ledger of a home, in one SQLite file.

Several processes share it and never do the same work twice: a request is claimed in one step, and what a
holder left behind is free again as soon as the holder is dead or its lease has passed. Coverage is not
kept apart; it is what the requests answered, so it cannot disagree with them.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

import orjson

from finpipe.clock import Clock, boot_id
from finpipe.fetch.classify import Outcome
from finpipe.fetch.database import Database
from finpipe.fetch.ledger import statements as sql
from finpipe.fetch.ledger.entry import Claim, Conclusion, Entry, covered_of, entry_of, request_of, text_of, values_of
from finpipe.fetch.planner import Covered, Request


class Ledger:
    """What was asked, what came of it, what is still to be done. Commits are synced: in async code use a thread."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._database = Database(path, sql.SCHEMA, synchronous="FULL")
        self._clock, self._boot = clock, boot_id()
        self._host = socket.gethostname()
        self._owner = f"{self._host}:{os.getpid()}:{token_hex(4)}"

    def enqueue(self, requests: Iterable[Request]) -> None:
        """Add requests that are not there. One that died of a passing fault gets its attempts anew."""
        rows = [{**values_of(request), "now": self._now()} for request in requests]
        with self._database.writing() as connection:
            connection.executemany(sql.ENQUEUE, rows)
            connection.executemany(sql.REVIVE, rows)

    def claim(self, source: str, datasets: Iterable[str], lease_seconds: float) -> Claim | None:
        """Take the request that is due longest; None when none is."""
        token, monotonic = token_hex(4), self._clock.monotonic()
        holder = {"owner": self._owner, "boot": self._boot, "until": monotonic + lease_seconds}
        values = {**self._of(source, datasets), **holder, "monotonic": monotonic, "token": token}
        with self._database.writing() as connection:
            rows = connection.execute(sql.CLAIM, values).fetchall()
        if not rows:
            return None
        row = rows[0]
        return Claim(request_of(row), row["attempt"], row["token"], is_reclaimed=row["token"] != token)

    def conclude(self, claim: Claim, conclusion: Conclusion) -> bool:
        """Write down what came of a claim; False when the lease had passed on, and nothing changed."""
        values = {
            **vars(conclusion),
            "due": text_of(conclusion.due),
            "reached": conclusion.reached.isoformat() if conclusion.reached else None,
            "received_at": text_of(conclusion.received_at) if conclusion.received_at else None,
            "now": self._now(),
            "key": claim.request.key,
            "owner": self._owner,
        }
        with self._database.writing() as connection:
            return connection.execute(sql.CONCLUDE, values).rowcount == 1

    def release(self, claim: Claim) -> None:
        """Give a claim back without an attempt."""
        with self._database.writing() as connection:
            connection.execute(sql.RELEASE, {"key": claim.request.key, "owner": self._owner})

    def release_dead(self) -> None:
        """Free what processes of this host held that are no longer alive."""
        with self._database.writing() as connection:
            for owner, boot in connection.execute(sql.OWNERS).fetchall():
                if not self._may_live(owner, boot):
                    connection.execute(sql.RELEASE_OWNER, {"owner": owner})

    def park(self, source: str, datasets: Iterable[str], until: datetime) -> None:
        """Put off whatever of the datasets is ready and due before `until`."""
        with self._database.writing() as connection:
            connection.execute(sql.PARK, {**self._of(source, datasets), "until": text_of(until)})

    def note(self, source: str, datasets: Iterable[str], outcome: Outcome, error: str) -> None:
        """Say of everything ready in the datasets why it cannot be asked."""
        with self._database.writing() as connection:
            connection.execute(sql.NOTE, {**self._of(source, datasets), "outcome": outcome, "error": error})

    def next_due(self, source: str, datasets: Iterable[str]) -> datetime | None:
        """When the next request of the datasets that nobody holds is due; None when there is none."""
        with self._database.reading() as connection:
            row = connection.execute(sql.NEXT_DUE, self._of(source, datasets)).fetchone()
        return None if row is None else datetime.fromisoformat(row["due"])

    def held_by_others(self, source: str, datasets: Iterable[str]) -> int:
        """How many requests of the datasets others are asking at present."""
        values = {**self._of(source, datasets), "owner": self._owner}
        with self._database.reading() as connection:
            (count,) = connection.execute(sql.HELD_BY_OTHERS, values).fetchone()
        return int(count)

    def covered(self, source: str, dataset: str) -> dict[str, list[Covered]]:
        """The sessions that were answered, by `item_key`."""
        return self._intervals(sql.COVERED, source, dataset)

    def pending(self, source: str, dataset: str) -> dict[str, list[Covered]]:
        """The sessions that open requests will cover, by `item_key`, as if answered now."""
        return self._intervals(sql.PENDING, source, dataset)

    def open_entries(self, source: str, dataset: str) -> list[Entry]:
        """A dataset's requests that are still to be done, by due instant."""
        return self._entries(sql.OPEN_ENTRIES, {"source": source, "dataset": dataset})

    def entries(self, source: str, dataset: str) -> list[Entry]:
        """All of a dataset's requests, by due instant."""
        return self._entries(sql.ENTRIES, {"source": source, "dataset": dataset})

    def entries_of(self, keys: Iterable[str]) -> list[Entry]:
        """The requests of those keys, by due instant."""
        return self._entries(sql.ENTRIES_OF, {"keys": orjson.dumps(list(keys)).decode()})

    def counts(self) -> dict[tuple[str, str], dict[str, int]]:
        """How many requests each (source, dataset) has in each state."""
        counts: dict[tuple[str, str], dict[str, int]] = {}
        with self._database.reading() as connection:
            for source, dataset, state, count in connection.execute(sql.COUNTS):
                counts.setdefault((source, dataset), {})[state] = count
        return counts

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    def _now(self) -> str:
        return text_of(self._clock.now())

    def _of(self, source: str, datasets: Iterable[str]) -> dict[str, Any]:
        return {"source": source, "datasets": orjson.dumps(sorted(datasets)).decode(), "now": self._now()}

    def _may_live(self, owner: str, boot: str) -> bool:
        host, process, _ = owner.rsplit(":", 2)
        # Of another host only the lease can tell.
        return boot == self._boot and (host != self._host or _is_running(int(process)))

    def _intervals(self, statement: str, source: str, dataset: str) -> dict[str, list[Covered]]:
        found: dict[str, list[Covered]] = {}
        values = {"source": source, "dataset": dataset, "now": self._now()}
        with self._database.reading() as connection:
            for row in connection.execute(statement, values):
                found.setdefault(row["item"], []).append(covered_of(row))
        return found

    def _entries(self, statement: str, values: Mapping[str, str]) -> list[Entry]:
        with self._database.reading() as connection:
            return [entry_of(row) for row in connection.execute(statement, values)]


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
