from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from finpipe.clock import ManualClock
from finpipe.fetch.classify import Outcome
from finpipe.fetch.ledger import Claim, Conclusion, Ledger, RequestState, sqlite
from finpipe.fetch.planner import Covered, Request

NOW = datetime(2013, 3, 2, 0, 30, tzinfo=UTC)
FRIDAY = date(2013, 3, 1)
LEASE = 60.0
DAILY = ["daily"]

DONE = Conclusion(RequestState.DONE, NOW, 0, Outcome.OK, "", 200, "r1", "ab", reached=FRIDAY, received_at=NOW)


def request(key: str, *, due: datetime = NOW, item: str = "IBM", dataset: str = "daily") -> Request:
    return Request(key, "acme", dataset, "/p", {"q": "1"}, {"symbol": item}, FRIDAY, FRIDAY, NOW, due)


def claimed(ledger: Ledger) -> Claim:
    claim = ledger.claim("acme", DAILY, LEASE)
    assert claim is not None
    return claim


def test_claim_gives_back_what_was_enqueued(ledger: Ledger) -> None:
    ledger.enqueue([request("a")])
    assert claimed(ledger).request == request("a")


def test_enqueue_twice_adds_once(ledger: Ledger) -> None:
    ledger.enqueue([request("a"), request("b")])
    ledger.enqueue([request("b"), request("a")])
    assert ledger.counts() == {("acme", "daily"): {"ready": 2}}


def test_claim_takes_what_is_due_longest_and_nothing_twice(ledger: Ledger) -> None:
    hours = {"a": 1, "b": 3, "c": 2}
    ledger.enqueue(request(key, due=NOW - timedelta(hours=n)) for key, n in hours.items())
    assert [claimed(ledger).request.key for _ in range(3)] == ["b", "c", "a"]
    assert ledger.claim("acme", DAILY, LEASE) is None


def test_claim_leaves_what_is_not_due_and_what_is_not_asked_for(ledger: Ledger) -> None:
    later = NOW + timedelta(seconds=1)
    ledger.enqueue([request("later", due=later), request("other", dataset="other")])
    assert ledger.claim("acme", DAILY, LEASE) is None
    assert ledger.claim("else", DAILY, LEASE) is None
    assert ledger.next_due("acme", DAILY) == later
    assert ledger.next_due("else", DAILY) is None


def test_claim_is_free_again_when_the_lease_has_passed(ledger: Ledger, clock: ManualClock) -> None:
    ledger.enqueue([request("a")])
    first = claimed(ledger)
    clock.advance(LEASE + 1)
    second = claimed(ledger)
    assert (first.is_reclaimed, second.is_reclaimed) == (False, True)
    assert second.token == first.token  # so that a receipt left behind is found


def test_claim_is_free_again_after_a_reboot(
    ledger: Ledger, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.enqueue([request("a")])
    claimed(ledger)
    monkeypatch.setattr(sqlite, "boot_id", lambda: "another boot")
    other = Ledger(tmp_path / "state" / "ledger.sqlite", clock)
    assert claimed(other).is_reclaimed
    other.close()


def test_conclude_of_a_lease_that_passed_on_changes_nothing(ledger: Ledger, tmp_path: Path, clock: ManualClock) -> None:
    other = Ledger(tmp_path / "state" / "ledger.sqlite", clock)
    ledger.enqueue([request("a")])
    late = claimed(ledger)
    clock.advance(LEASE + 1)
    claim = claimed(other)
    assert not ledger.conclude(late, DONE)
    assert other.conclude(claim, DONE)
    assert not other.conclude(claim, replace(DONE, state=RequestState.DEAD))
    assert ledger.counts() == {("acme", "daily"): {"done": 1}}
    other.close()


def test_conclude_writes_down_everything(ledger: Ledger) -> None:
    ledger.enqueue([request("a")])
    ledger.conclude(claimed(ledger), replace(DONE, state=RequestState.DEAD, attempt=3, error="gone", outcome="fail"))
    (entry,) = ledger.entries("acme", "daily")
    assert (entry.state, entry.attempt, entry.error, entry.outcome) == (RequestState.DEAD, 3, "gone", "fail")
    assert (entry.status, entry.receipt, entry.sha256, entry.is_open) == (200, "r1", "ab", False)
    assert ledger.entries_of(["a", "b"]) == [entry]
    assert ledger.open_entries("acme", "daily") == []


def test_coverage_is_what_requests_answered(ledger: Ledger) -> None:
    ledger.enqueue([request("a"), request("b", item="MSFT"), request("c")])
    for conclusion in (
        DONE,
        replace(DONE, state=RequestState.READY, reached=None, received_at=None, due=NOW + timedelta(hours=1)),
    ):
        ledger.conclude(claimed(ledger), conclusion)
    assert ledger.covered("acme", "daily") == {'{"symbol":"IBM"}': [Covered(FRIDAY, FRIDAY, NOW)]}
    assert set(ledger.pending("acme", "daily")) == {'{"symbol":"IBM"}', '{"symbol":"MSFT"}'}


def test_coverage_of_a_part_stays_when_a_later_answer_brings_nothing(ledger: Ledger) -> None:
    ledger.enqueue([request("a")])
    ledger.conclude(claimed(ledger), replace(DONE, state=RequestState.READY))
    nothing = replace(DONE, state=RequestState.DEAD, reached=None, received_at=None)
    ledger.conclude(claimed(ledger), nothing)
    assert ledger.covered("acme", "daily") == {'{"symbol":"IBM"}': [Covered(FRIDAY, FRIDAY, NOW)]}


def test_release_gives_a_claim_back_without_an_attempt(ledger: Ledger) -> None:
    ledger.enqueue([request("a")])
    ledger.release(claimed(ledger))
    again = claimed(ledger)
    assert (again.attempt, again.is_reclaimed) == (0, True)


def test_park_puts_off_what_is_due_before(ledger: Ledger, clock: ManualClock) -> None:
    tomorrow = NOW + timedelta(days=1)
    ledger.enqueue([request("a"), request("b", due=tomorrow + timedelta(days=1)), request("c", dataset="other")])
    ledger.park("acme", DAILY, tomorrow)
    assert ledger.counts() == {("acme", "daily"): {"parked": 1, "ready": 1}, ("acme", "other"): {"ready": 1}}
    assert ledger.claim("acme", DAILY, LEASE) is None
    clock.advance(86400)
    assert claimed(ledger).request.key == "a"


def test_note_says_why_requests_cannot_be_asked(ledger: Ledger) -> None:
    ledger.enqueue([request("a")])
    ledger.note("acme", DAILY, Outcome.FAIL_CONFIG, "no key")
    (entry,) = ledger.open_entries("acme", "daily")
    assert (entry.state, entry.outcome, entry.error) == (RequestState.READY, "fail_config", "no key")


@pytest.mark.parametrize(
    ("outcome", "is_revived"),
    [(Outcome.RETRY, True), (Outcome.TRUNCATED, True), (Outcome.FAIL, False), (Outcome.NOT_PUBLISHED, False)],
)
def test_enqueue_revives_what_died_of_a_passing_fault(ledger: Ledger, outcome: Outcome, is_revived: bool) -> None:  # noqa: FBT001 - a parameter
    ledger.enqueue([request("a")])
    ledger.conclude(claimed(ledger), Conclusion(RequestState.DEAD, NOW, 5, outcome))
    ledger.enqueue([request("a")])
    found = ledger.claim("acme", DAILY, LEASE)
    assert (found is not None) is is_revived
    assert found is None or found.attempt == 0


def test_release_dead_frees_what_a_dead_process_held_and_nothing_else(
    ledger: Ledger, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.enqueue([request("a"), request("b")])
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: dead.pid)
        other = Ledger(tmp_path / "state" / "ledger.sqlite", clock)
    abandoned, mine = claimed(other), claimed(ledger)
    ledger.release_dead()
    assert claimed(ledger).request == abandoned.request
    assert ledger.claim("acme", DAILY, LEASE) is None  # this process lives, and so does its claim
    assert other.held_by_others("acme", DAILY) == 2
    assert mine.request != abandoned.request
    other.close()


def test_owner_of_another_host_is_freed_by_its_lease_alone(
    ledger: Ledger, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.enqueue([request("a")])
    monkeypatch.setattr(os, "getpid", lambda: 2**22 + 1)  # above the largest process id of Linux
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere:6")
    other = Ledger(tmp_path / "state" / "ledger.sqlite", clock)
    claimed(other)
    other.close()
    ledger.release_dead()
    assert ledger.claim("acme", DAILY, LEASE) is None
    clock.advance(LEASE + 1)
    assert claimed(ledger).is_reclaimed


def test_processes_that_share_a_backlog_claim_each_request_once(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "ledger.sqlite"
    found: list[str] = []

    def work() -> None:
        ledger = Ledger(path, clock)
        ledger.enqueue(request(f"{n:02}") for n in range(30))
        while (claim := ledger.claim("acme", DAILY, LEASE)) is not None:
            found.append(claim.request.key)
            ledger.conclude(claim, DONE)
        ledger.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [f"{n:02}" for n in range(30)]
