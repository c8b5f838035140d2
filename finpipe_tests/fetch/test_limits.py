"""One conformance suite for every store of limits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from finpipe.clock import ManualClock
from finpipe.errors import StorageError
from finpipe.fetch.limits import LimitStore, MemoryLimits, QuotaUse, SqliteLimits, sqlite
from finpipe.fetch.policy import Parked, QuotaRule, Rules, Slot, WindowRule

RULES = Rules((WindowRule(2, 10.0),), (QuotaRule(5, "America/New_York"),))
MIDNIGHT = datetime(2013, 3, 2, 5, 0, tzinfo=UTC)


@pytest.fixture
def sqlite_limits(tmp_path: Path, clock: ManualClock) -> Iterator[SqliteLimits]:
    limits = SqliteLimits(tmp_path / "state" / "limits.sqlite", clock)
    yield limits
    limits.close()


@pytest.fixture(params=["memory", "sqlite"])
def limits(request: pytest.FixtureRequest, clock: ManualClock) -> LimitStore:
    if request.param == "memory":
        return MemoryLimits(clock)
    store: SqliteLimits = request.getfixturevalue("sqlite_limits")
    return store


def ats(limits: LimitStore, scope: str, times: int) -> list[float]:
    slots = [limits.reserve(scope, RULES) for _ in range(times)]
    assert all(isinstance(slot, Slot) for slot in slots)
    return [slot.at for slot in slots if isinstance(slot, Slot)]


def test_reserve_counts_by_scope(limits: LimitStore, clock: ManualClock) -> None:
    now = clock.monotonic()
    assert ats(limits, "a", 3) == [now, now, now + 10]
    assert ats(limits, "b", 1) == [now]


def test_reserve_parks_when_the_quota_is_spent(limits: LimitStore) -> None:
    ats(limits, "a", 5)
    assert limits.reserve("a", RULES) == Parked(MIDNIGHT)
    assert limits.usage("a", RULES) == [QuotaUse(5, 5, MIDNIGHT)]


def test_give_back_undoes_a_reservation(limits: LimitStore, clock: ManualClock) -> None:
    slot = limits.reserve("a", RULES)
    assert isinstance(slot, Slot)
    limits.give_back("a", slot)
    assert limits.usage("a", RULES) == [QuotaUse(5, 0, MIDNIGHT)]
    assert ats(limits, "a", 2) == [clock.monotonic()] * 2


def test_depart_writes_down_when_a_late_request_left(limits: LimitStore, clock: ManualClock) -> None:
    slots = [limits.reserve("a", RULES) for _ in range(2)]
    clock.advance(4)
    assert all(limits.depart("a", RULES, slot) for slot in slots if isinstance(slot, Slot))
    assert ats(limits, "a", 1) == [clock.monotonic() + 10]
    assert limits.usage("a", RULES)[0].used == 3


def test_depart_is_refused_during_a_cooldown_and_gives_the_slot_back(limits: LimitStore, clock: ManualClock) -> None:
    slot = limits.reserve("a", RULES)
    assert isinstance(slot, Slot)
    limits.block("a", 60)
    assert not limits.depart("a", RULES, slot)
    assert limits.usage("a", RULES)[0].used == 0
    clock.advance(60)
    assert ats(limits, "a", 2) == [clock.monotonic()] * 2


def test_depart_is_refused_when_the_source_was_parked_meanwhile(limits: LimitStore, clock: ManualClock) -> None:
    slot = limits.reserve("a", RULES)
    assert isinstance(slot, Slot)
    limits.park("a", clock.now() + timedelta(hours=1))
    assert limits.depart("a", RULES, slot) is None


def test_give_back_to_an_unknown_scope_changes_nothing(limits: LimitStore, clock: ManualClock) -> None:
    limits.give_back("a", Slot(1.0, ("2013-03-01 UTC",)))
    assert ats(limits, "a", 1) == [clock.monotonic()]


def test_block_holds_everything_of_the_scope_back(limits: LimitStore, clock: ManualClock) -> None:
    until = clock.monotonic() + 60
    limits.block("a", 60)
    limits.block("a", 5)
    assert ats(limits, "a", 1) == [until]
    assert ats(limits, "b", 1) == [clock.monotonic()]


def test_park_holds_back_until_a_date(limits: LimitStore, clock: ManualClock) -> None:
    until = clock.now() + timedelta(hours=6)
    limits.park("a", until)
    assert limits.reserve("a", RULES) == Parked(until)
    clock.advance(6 * 3600)
    assert ats(limits, "a", 1) == [clock.monotonic()]


@pytest.mark.parametrize("hours", [-1, 1])
def test_windows_are_deaf_to_jumps_of_the_wall_clock(limits: LimitStore, clock: ManualClock, hours: int) -> None:
    now = clock.monotonic()
    ats(limits, "a", 2)
    clock.instant += timedelta(hours=hours)
    assert ats(limits, "a", 1) == [now + 10]


def test_many_scopes_and_large_limits_are_kept_apart(limits: LimitStore, clock: ManualClock) -> None:
    rules = Rules((WindowRule(500, 60.0),))
    for _ in range(500):
        limits.reserve("large", rules)
    slot = limits.reserve("large", rules)
    assert slot == Slot(clock.monotonic() + 60)


def test_sqlite_store_is_shared_by_all_who_open_the_file(
    sqlite_limits: SqliteLimits, tmp_path: Path, clock: ManualClock
) -> None:
    other = SqliteLimits(tmp_path / "state" / "limits.sqlite", clock)
    now = clock.monotonic()
    both = [ats(store, "a", 1)[0] for store in (sqlite_limits, other, sqlite_limits, other)]
    other.close()
    assert both == [now, now, now + 10, now + 10]


def test_sqlite_store_never_grants_a_slot_twice_under_contention(tmp_path: Path, clock: ManualClock) -> None:
    rules, path, found = Rules((WindowRule(1, 1.0),)), tmp_path / "limits.sqlite", list[float]()

    def reserve_many() -> None:
        store = SqliteLimits(path, clock)
        for n in range(40):
            slot = store.reserve("a", rules)
            assert isinstance(slot, Slot)
            if n % 4 == 3:
                store.give_back("a", slot)
            else:
                found.append(slot.at)
        store.close()

    threads = [threading.Thread(target=reserve_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.sort()
    assert len(found) == 120
    assert all(b - a >= 1.0 for a, b in pairwise(found))


def test_sqlite_store_takes_slots_of_an_earlier_boot_to_be_at_its_end(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "limits.sqlite"
    before = SqliteLimits(path, clock)
    ats(before, "a", 2)
    before.block("a", 1000)
    before.close()
    monkeypatch.setattr(sqlite, "boot_id", lambda: "another boot")
    clock.seconds = 3.0  # since that boot
    after = SqliteLimits(path, clock)
    assert ats(after, "a", 1) == [10.0]
    assert after.usage("a", RULES)[0].used == 3  # quotas go by date and outlive a boot
    after.close()


def test_sqlite_store_says_where_when_it_cannot_be_opened(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "limits.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageError, match=r"limits\.sqlite"):
        SqliteLimits(path, clock)
