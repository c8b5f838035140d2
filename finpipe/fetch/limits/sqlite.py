"""Limits of all processes of a host that share a home: one row per scope in `limits.sqlite`."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import orjson

from finpipe.clock import Clock, boot_id
from finpipe.fetch import policy
from finpipe.fetch.database import Database
from finpipe.fetch.limits.store import QuotaUse, usage_of
from finpipe.fetch.policy import Parked, Rules, Slot, State

_SCHEMA = """
CREATE TABLE IF NOT EXISTS scopes (
    scope TEXT PRIMARY KEY,
    boot TEXT NOT NULL,           -- the monotonic values below mean nothing after another boot
    log BLOB NOT NULL,            -- slots as packed doubles
    blocked_until REAL NOT NULL,
    parked_until TEXT,
    used TEXT NOT NULL            -- {"2013-03-01 America/New_York": 12}
) WITHOUT ROWID
"""

_LOAD = "SELECT * FROM scopes WHERE scope = ?"
_SAVE = "INSERT OR REPLACE INTO scopes VALUES (?, ?, ?, ?, ?, ?)"


class SqliteLimits:
    """A `LimitStore` on a file. A power loss may forget the last slots, which then are no longer in any window."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._database = Database(path, _SCHEMA, synchronous="NORMAL")
        self._clock = clock
        self._boot = boot_id()

    def reserve(self, scope: str, rules: Rules) -> Slot | Parked:
        with self._changing(scope) as state:
            # The clock is read under the lock: a wait for other processes is not part of the slot.
            return policy.reserve(state, rules, self._clock.monotonic(), self._clock.now())

    def depart(self, scope: str, rules: Rules, slot: Slot) -> Slot | None:
        with self._changing(scope) as state:
            return policy.depart(state, rules, slot, self._clock.monotonic(), self._clock.now())

    def give_back(self, scope: str, slot: Slot) -> None:
        with self._changing(scope) as state:
            policy.give_back(state, slot)

    def block(self, scope: str, seconds: float) -> None:
        with self._changing(scope) as state:
            policy.block(state, self._clock.monotonic() + seconds)

    def park(self, scope: str, until: datetime) -> None:
        with self._changing(scope) as state:
            policy.park(state, until)

    def usage(self, scope: str, rules: Rules) -> list[QuotaUse]:
        with self._database.reading() as connection:
            state = self._state(connection.execute(_LOAD, (scope,)).fetchone())
        return usage_of(state, rules, self._clock.now())

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    @contextmanager
    def _changing(self, scope: str) -> Iterator[State]:
        with self._database.writing() as connection:
            row = connection.execute(_LOAD, (scope,)).fetchone()
            state = self._state(row)
            yield state
            changed = self._row(scope, state)
            if row is None or tuple(row) != changed:  # a departure on time changes nothing
                connection.execute(_SAVE, changed)

    def _state(self, row: sqlite3.Row | None) -> State:
        if row is None:
            return State()
        parked_until = datetime.fromisoformat(row["parked_until"]) if row["parked_until"] else None
        log = array("d", row["log"]).tolist()
        if row["boot"] != self._boot:
            # Before this boot, so no later than its beginning.
            return State([0.0] * len(log), 0.0, parked_until, orjson.loads(row["used"]))
        return State(log, row["blocked_until"], parked_until, orjson.loads(row["used"]))

    def _row(self, scope: str, state: State) -> tuple[str, str, bytes, float, str | None, str]:
        parked_until = state.parked_until.isoformat() if state.parked_until else None
        log, used = array("d", state.log).tobytes(), orjson.dumps(state.used).decode()
        return scope, self._boot, log, state.blocked_until, parked_until, used
