"""The manager and its engine with a scripted transport and a clock that is moved by hand."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from finpipe.clock import ManualClock
from finpipe.errors import MissingSecret, StorageError
from finpipe.fetch import (
    ApiManager,
    Ask,
    FetchOutcome,
    Ledger,
    MemoryLimits,
    Progress,
    RequestState,
    SqliteLimits,
)
from finpipe.fetch.planner import Request
from finpipe.fetch.transport import FailureKind, TransportFailure
from finpipe.raw.receipt import Receipt
from finpipe.raw.store import RawStore
from finpipe.sources.spec import Source

FRIDAY = date(2013, 3, 1)
WEEK = [FRIDAY - timedelta(days=n) for n in range(4, -1, -1)]
NO_WAIT = {"max_attempts": 3, "base": "1ms", "max": "1ms"}
KEY = {"type": "api_key", "name": "apikey", "location": "query", "secret": "ACME_KEY"}
MakeSource = Callable[..., Source]
MakeAsk = Callable[..., Ask]
MakeTransport = Callable[..., Any]
Said = tuple[int, dict[str, str], bytes]

GOOD: Said = (200, {}, b'{"bars": {}}')


@pytest.fixture
def limits(clock: ManualClock) -> MemoryLimits:
    return MemoryLimits(clock)


@pytest.fixture
def run(
    ledger: Ledger, limits: MemoryLimits, raw: RawStore, clock: ManualClock, sleep: Callable[[float], Awaitable[None]],

) -> Callable[..., list[FetchOutcome]]:  # fmt: skip
    """Runs one fetch to its end; whatever the manager waits for passes at once."""

    def fetch(
        transport: Any,
        *asks: Ask,
        secret: Callable[[str, str], str] = lambda _source, _variable: "s3cret",
        **options: Any,
    ) -> list[FetchOutcome]:
        manager = ApiManager(
            ledger=ledger,
            limits=limits,
            raw=raw,
            clock=clock,
            secret=secret,
            patience_seconds=600,
            run="run-1",
            transport_for=transport if callable(transport) else lambda _: transport,
            sleep=sleep,
        )
        return asyncio.run(manager.fetch(asks, **options))

    return fetch


Run = Callable[..., list[FetchOutcome]]


def receipts(raw: RawStore) -> list[Receipt]:
    return list(raw.receipts("acme", "daily"))


def script(*said: Any) -> Callable[[Request, int], Any]:
    """Says one thing after the other, the last one for ever."""
    return lambda _request, n: said[min(n, len(said)) - 1]


def test_fetch_keeps_every_body_with_its_receipt(
    run: Run, raw: RawStore, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    (outcome,) = run(make_transport(), make_ask(make_source(), *WEEK))
    assert (outcome.asked, outcome.requests, outcome.sent, outcome.done) == (5, 5, 5, 5)
    assert outcome.is_complete
    kept = sorted(receipts(raw), key=lambda receipt: receipt.first)
    assert [(r.first, r.status, r.outcome, r.run, r.attempt) for r in kept] == [
        (day, 200, "ok", "run-1", 1) for day in WEEK
    ]
    assert [json.loads(raw.get(str(r.sha256)))["of"] for r in kept] == [r.request for r in kept]
    assert kept[0].url == "https://acme.example/api/daily?day=2013-02-25"
    assert outcome.bytes == sum(r.length or 0 for r in kept)


def test_fetch_again_sends_nothing(
    run: Run, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    ask = make_ask(make_source("window"), *WEEK, symbols=("IBM", "MSFT"))
    run(make_transport(), ask)
    transport = make_transport()
    (outcome,) = run(transport, ask)
    assert (transport.asked, outcome.covered, outcome.requests, outcome.is_complete) == ([], 10, 0, True)


def test_fetch_of_a_refresh_sends_again(
    run: Run, clock: ManualClock, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    run(make_transport(), make_ask(make_source(), FRIDAY))
    clock.advance(1)
    (outcome,) = run(make_transport(), make_ask(make_source(), FRIDAY, refresh=True))
    assert (outcome.sent, outcome.done) == (1, 1)


def test_fetch_accounts_for_days_that_need_nothing(
    run: Run, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    saturday, monday = date(2013, 3, 2), date(2013, 3, 4)
    (outcome,) = run(make_transport(), make_ask(make_source(), FRIDAY, saturday, monday))
    assert (outcome.asked, outcome.no_session, outcome.not_due, outcome.sent) == (3, 1, 1, 1)


def test_fetch_sends_at_the_source_s_pace(
    run: Run, clock: ManualClock, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    source = make_source(limits={"windows": [{"limit": 2, "period": "10s"}]})
    begin, transport = clock.monotonic(), make_transport()
    run(transport, make_ask(source, *WEEK))
    assert [round(at - begin) for at in transport.left_at] == [0, 0, 10, 10, 20]


def test_fetch_asks_again_after_passing_faults(
    run: Run, raw: RawStore, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    faults = script((500, {}, b"oops"), TransportFailure(FailureKind.TIMEOUT, "no answer"), GOOD)
    (outcome,) = run(make_transport(faults), make_ask(make_source(retries=NO_WAIT), FRIDAY))
    assert (outcome.sent, outcome.done, outcome.errors) == (3, 1, [])
    assert [(r.status, r.outcome, r.attempt) for r in receipts(raw)] == [
        (500, "retry", 1), (None, "retry", 2), (200, "ok", 3),
    ]  # fmt: skip


def test_fetch_gives_up_when_attempts_are_spent_and_begins_anew_when_asked_again(
    run: Run, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    ask = make_ask(make_source(retries=NO_WAIT), FRIDAY)
    (outcome,) = run(make_transport(script((500, {}, b"oops"))), ask)
    assert (outcome.sent, outcome.dead, outcome.is_complete) == (3, 1, False)
    assert outcome.errors == ["HTTP 500: oops"]
    (outcome,) = run(make_transport(), ask)
    assert (outcome.sent, outcome.done, outcome.is_complete) == (1, 1, True)


def test_fetch_cools_down_and_goes_on(
    run: Run, clock: ManualClock, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    begin = clock.monotonic()
    transport = make_transport(script((429, {"retry-after": "90"}, b""), GOOD))
    (outcome,) = run(transport, make_ask(make_source(), *WEEK[:2]))
    assert (outcome.sent, outcome.done) == (3, 2)
    assert [at - begin for at in transport.left_at] == [0, 90, 90]


def test_fetch_ends_when_the_cooldown_is_longer_than_the_patience(
    run: Run, ledger: Ledger, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    (outcome,) = run(make_transport(script((429, {"retry-after": "601"}, b""))), make_ask(make_source(), *WEEK))
    assert (outcome.sent, outcome.waiting, outcome.is_complete) == (1, 5, False)
    assert {entry.attempt for entry in ledger.entries("acme", "daily")} == {0}


def test_fetch_does_not_wait_for_ever_for_a_source_that_always_refuses(
    run: Run, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    transport = make_transport(script((429, {"retry-after": "1"}, b"")))
    (outcome,) = run(transport, make_ask(make_source(), FRIDAY))
    assert outcome.waiting == 1
    assert outcome.sent <= 10  # cooldowns double: 2, 4, ... until one is over the patience


def test_fetch_parks_what_a_spent_quota_leaves_and_takes_it_up_the_next_day(
    run: Run, clock: ManualClock, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    quota = {"limit": 2, "per": "day", "timezone": "America/New_York"}
    ask = make_ask(make_source(limits={"quota": [quota]}), *WEEK)
    (outcome,) = run(make_transport(), ask)
    midnight = datetime(2013, 3, 2, 5, tzinfo=UTC)
    assert (outcome.sent, outcome.done, outcome.parked, outcome.parked_until) == (2, 2, 3, midnight)
    assert outcome.as_metadata()["parked_until"] == "2013-03-02T05:00:00+00:00"
    transport = make_transport()
    run(transport, ask)
    assert transport.asked == []
    clock.advance((midnight - clock.now()).total_seconds())
    assert [run(make_transport(), ask)[0].parked for _ in range(2)] == [1, 1]
    clock.advance(86400)
    assert run(make_transport(), ask)[0].is_complete


def test_fetch_parks_the_source_when_it_says_that_the_day_s_quota_is_spent(
    run: Run, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    source = make_source(response={"actions": [{"content": "per day", "action": "quota_exhausted"}]})
    transport = make_transport(script((200, {}, b'{"note": "25 calls per day"}')))
    (outcome,) = run(transport, make_ask(source, *WEEK))
    assert (outcome.sent, outcome.parked, outcome.parked_until) == (1, 5, datetime(2013, 3, 3, tzinfo=UTC))


def test_fetch_leaves_unpublished_sessions_for_later(
    run: Run, clock: ManualClock, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    cadence = {"calendar": "T", "available": "T+0 18:00", "timezone": "America/New_York", "gives_up": "1d"}
    actions = {"actions": [{"status": 403, "action": "not_published"}]}
    source = make_source(dataset={"cadence": cadence}, response=actions)
    missing = make_transport(script((403, {}, b"")))
    (outcome,) = run(missing, make_ask(source, FRIDAY))
    assert (outcome.sent, outcome.waiting) == (1, 1)
    clock.advance(46 * 60)
    assert run(make_transport(), make_ask(source, FRIDAY))[0].is_complete
    (outcome,) = run(missing, make_ask(source, WEEK[0]))  # five days old: it will not come
    assert (outcome.unpublished, outcome.is_complete, outcome.errors) == (1, True, ["HTTP 403: no body"])


def test_fetch_covers_what_an_answer_reaches_and_asks_for_the_rest_later(
    run: Run, ledger: Ledger, clock: ManualClock, make_source: MakeSource, make_ask: MakeAsk,
    make_transport: MakeTransport,
) -> None:  # fmt: skip
    short, long = (json.dumps({"bars": {}, "until": str(day)}).encode() for day in (WEEK[3], FRIDAY))
    ask = make_ask(make_source("window"), *WEEK)
    (outcome,) = run(make_transport(script((200, {}, short))), ask)
    assert (outcome.sent, outcome.waiting) == (1, 1)
    ((interval,),) = ledger.covered("acme", "daily").values()
    assert (interval.first, interval.last) == (WEEK[0], WEEK[3])
    clock.advance(3600)
    (outcome,) = run(make_transport(script((200, {}, long))), ask)
    assert (outcome.sent, outcome.done, outcome.covered) == (1, 1, 4)


def test_fetch_stops_a_source_whose_key_is_refused_and_keeps_its_requests(
    run: Run, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    source = make_source(limits={"concurrency": 1})
    (outcome,) = run(make_transport(script((401, {}, b"who?"))), make_ask(source, *WEEK))
    assert (outcome.sent, outcome.waiting, outcome.errors) == (1, 5, ["HTTP 401: who?"])
    assert run(make_transport(), make_ask(source, *WEEK))[0].is_complete


def other_source(source: Source) -> Source:
    return source.model_copy(update={"source": "other"})


def test_missing_secret_fails_only_its_source(
    run: Run, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    keyed = make_source(client={"base_url": "https://acme.example", "auth": KEY})
    free = other_source(make_source())

    def secret(source: str, variable: str) -> str:
        raise MissingSecret(source, variable)

    failed, fetched = run(make_transport(), make_ask(keyed, *WEEK), make_ask(free, *WEEK), secret=secret)
    assert (failed.sent, failed.waiting, fetched.done) == (0, 5, 5)
    assert "ACME_KEY is not set" in failed.errors[0]
    assert run(make_transport(), make_ask(keyed, *WEEK))[0].is_complete


def test_failing_source_does_not_stop_another(
    run: Run, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    bad, good = make_source(retries=NO_WAIT), other_source(make_source())
    transports = {"acme": make_transport(script((500, {}, b""))), "other": make_transport()}
    outcomes = run(lambda source: transports[source.name], make_ask(bad, *WEEK), make_ask(good, *WEEK))
    assert [(o.source, o.dead, o.done) for o in outcomes] == [("acme", 5, 0), ("other", 0, 5)]


def test_request_that_is_pending_is_worked_off_by_whoever_asks_next(
    run: Run, clock: ManualClock, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    source = make_source("window")
    run(make_transport(script((429, {"retry-after": "900"}, b""))), make_ask(source, *WEEK))
    clock.advance(900)
    transport = make_transport()
    (outcome,) = run(transport, make_ask(source, WEEK[2]))
    assert (len(transport.asked), outcome.requests, outcome.done) == (1, 1, 1)


def test_secret_echoed_by_the_source_is_kept_nowhere(
    run: Run, ledger: Ledger, raw: RawStore, tmp_path: Path, make_source: MakeSource, make_ask: MakeAsk,
    make_transport: MakeTransport, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    secret, quoted = "canary/k+y", "canary%2Fk%2By"
    echo = f'{{"error": "key {secret} ({quoted}) is unknown"}}'.encode()
    said = script(
        (400, {"x-key": secret, "set-cookie": secret}, echo), GOOD, TransportFailure(FailureKind.BROKEN, secret)
    )
    source = make_source(client={"base_url": "https://acme.example", "auth": KEY}, retries=NO_WAIT)
    with caplog.at_level(logging.DEBUG):
        (outcome,) = run(make_transport(said), make_ask(source, *WEEK[:3]), secret=lambda *_: secret)
    ledger.close()
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".zst")
    kept = receipts(raw)
    written += b"".join(raw.get(r.sha256) for r in kept if r.sha256)
    shown = written.decode("utf-8", "replace") + str(outcome) + caplog.text
    assert secret not in shown
    assert quoted not in shown
    assert [r.redacted for r in kept if r.sha256] in ([True, False], [False, True])


def test_progress_is_told_of_every_attempt(
    run: Run, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    seen: list[Progress] = []
    source = make_source(retries=NO_WAIT)
    run(make_transport(script((500, {}, b"oops"), GOOD)), make_ask(source, *WEEK[:2]), on_progress=seen.append)
    assert [(p.requests, p.finished, p.sent) for p in seen] == [(2, 0, 1), (2, 1, 2), (2, 2, 3)]


def test_disk_that_refuses_is_raised_and_the_request_is_free_again(
    run: Run, ledger: Ledger, raw: RawStore, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def full(_: Receipt) -> None:
        raise StorageError("no space left")

    transport = make_transport()
    with monkeypatch.context() as patched:
        patched.setattr(raw, "record", full)
        with pytest.raises(StorageError, match="no space left"):
            run(transport, make_ask(make_source(), FRIDAY))
    assert transport.is_closed
    assert ledger.counts() == {("acme", "daily"): {"ready": 1}}
    assert run(make_transport(), make_ask(make_source(), FRIDAY))[0].is_complete


def test_answer_that_was_kept_before_a_crash_is_not_fetched_again(
    run: Run, ledger: Ledger, raw: RawStore, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    ask = make_ask(make_source(), FRIDAY)

    def crash(*_: object) -> bool:
        raise SystemError("killed between receipt and ledger")

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "conclude", crash)
        with pytest.raises(SystemError):
            run(make_transport(), ask)
    transport = make_transport()
    (outcome,) = run(transport, ask)
    assert (transport.asked, outcome.done, outcome.sent) == ([], 1, 0)
    assert len(receipts(raw)) == 1
    (entry,) = ledger.entries("acme", "daily")
    assert (entry.state, entry.receipt) == (RequestState.DONE, receipts(raw)[0].id)


def test_two_asks_of_one_source_are_answered_apart(
    run: Run, make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport
) -> None:
    source = make_source()
    weekly = source.datasets[0].model_copy(update={"name": "weekly"})
    both = source.model_copy(update={"datasets": (source.datasets[0], weekly)})
    second = replace(make_ask(both, *WEEK[:2]), dataset=weekly)
    outcomes = run(make_transport(), make_ask(both, FRIDAY), second)
    assert [(o.dataset, o.sent, o.done) for o in outcomes] == [("daily", 1, 1), ("weekly", 2, 2)]


def test_managers_in_one_event_loop_share_backlog_and_limits(
    tmp_path: Path, raw: RawStore, clock: ManualClock, sleep: Callable[[float], Awaitable[None]],
    make_source: MakeSource, make_ask: MakeAsk, make_transport: MakeTransport,
) -> None:  # fmt: skip
    source = make_source(limits={"windows": [{"limit": 2, "period": "10s"}], "concurrency": 2})
    transport, begin = make_transport(), clock.monotonic()
    stores = [(Ledger(tmp_path / "ledger", clock), SqliteLimits(tmp_path / "limits", clock)) for _ in range(2)]
    managers = [
        ApiManager(
            ledger=ledger,
            limits=limits,
            raw=raw,
            clock=clock,
            secret=lambda *_: "",
            patience_seconds=600,
            transport_for=lambda _: transport,
            sleep=sleep,
        )
        for ledger, limits in stores
    ]

    async def both() -> list[list[FetchOutcome]]:
        return await asyncio.gather(*(manager.fetch([make_ask(source, *WEEK)]) for manager in managers))

    outcomes = [outcome for (outcome,) in asyncio.run(both())]
    for ledger, limits in stores:
        ledger.close()
        limits.close()
    assert [outcome.done for outcome in outcomes] == [5, 5]
    assert sum(outcome.sent for outcome in outcomes) == 5
    left = [at - begin for at in transport.left_at]
    assert all(later - earlier >= 10 for earlier, later in zip(left, left[2:], strict=False))
