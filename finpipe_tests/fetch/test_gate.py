from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from finpipe.clock import ManualClock
from finpipe.fetch.gate import CoolingDown, Gate, QuotaSpent
from finpipe.fetch.limits import MemoryLimits
from finpipe.fetch.policy import Rules, Slot
from finpipe.sources.spec import Source

SLOW = {"windows": [{"limit": 1, "period": "10s"}], "concurrency": 2}
Sleep = Callable[[float], Awaitable[None]]
MakeSource = Callable[..., Source]


@pytest.fixture
def limits(clock: ManualClock) -> MemoryLimits:
    return MemoryLimits(clock)


@pytest.fixture
def make_gate(make_source: MakeSource, limits: MemoryLimits, clock: ManualClock, sleep: Sleep) -> Callable[..., Gate]:
    def build(rules: dict[str, Any] | None = None, *, sleeping: Sleep = sleep) -> Gate:
        return Gate(make_source(limits=rules or SLOW), limits, clock, sleep=sleeping)

    return build


MakeGate = Callable[..., Gate]


async def pass_through(gate: Gate, clock: ManualClock, patience: float = 600) -> float:
    async with gate.turn(patience) as turn:
        await turn.leave()
        return clock.monotonic()


def test_gate_lets_one_through_per_slot(make_gate: MakeGate, clock: ManualClock) -> None:
    begin, gate = clock.monotonic(), make_gate()

    async def three() -> list[float]:
        return [await pass_through(gate, clock) - begin for _ in range(3)]

    assert asyncio.run(three()) == pytest.approx([0, 10.02, 20.04])


def test_gate_gives_back_the_slot_of_a_request_that_does_not_leave(make_gate: MakeGate, clock: ManualClock) -> None:
    begin, gate = clock.monotonic(), make_gate()

    async def fail_then_pass() -> float:
        with pytest.raises(ConnectionError):
            async with gate.turn(600):
                raise ConnectionError
        return await pass_through(gate, clock)

    assert asyncio.run(fail_then_pass()) == begin


def test_gate_takes_a_new_slot_when_connecting_took_too_long(make_gate: MakeGate, clock: ManualClock) -> None:
    begin, gate = clock.monotonic(), make_gate()

    async def connect_slowly() -> None:
        async with gate.turn(600) as turn:
            clock.advance(5)
            await turn.leave()
        assert await pass_through(gate, clock) == pytest.approx(begin + 5 + 10.02)

    asyncio.run(connect_slowly())


def test_gate_counts_from_when_a_request_really_left(make_gate: MakeGate, clock: ManualClock) -> None:
    begin, gate = clock.monotonic(), make_gate()

    async def connect() -> None:
        async with gate.turn(600) as turn:
            clock.advance(0.013)
            await turn.leave()
        assert await pass_through(gate, clock) == pytest.approx(begin + 0.013 + 10.02)

    asyncio.run(connect())


def test_gate_writes_a_departure_anew_when_writing_it_took_long(
    make_gate: MakeGate, clock: ManualClock, limits: MemoryLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, gate, delays = clock.monotonic(), make_gate(), [0.1, 0.02]
    depart = limits.depart

    def depart_slowly(scope: str, rules: Rules, slot: Slot) -> Slot | None:
        departed = depart(scope, rules, slot)
        clock.advance(delays.pop(0) if delays else 0)
        return departed

    monkeypatch.setattr(limits, "depart", depart_slowly)

    async def twice() -> float:
        await pass_through(gate, clock)
        return await pass_through(gate, clock)

    assert asyncio.run(twice()) == pytest.approx(begin + 0.12 + 10.02)


def test_gate_does_not_wait_longer_than_the_patience(
    make_gate: MakeGate, clock: ManualClock, limits: MemoryLimits
) -> None:
    gate = make_gate()
    limits.block("acme", 700)

    async def impatient() -> None:
        with pytest.raises(CoolingDown, match="700 s"):
            await pass_through(gate, clock, patience=600)
        clock.advance(200)
        await pass_through(gate, clock, patience=600)

    begin = clock.monotonic()
    asyncio.run(impatient())
    assert clock.monotonic() == begin + 700  # nothing was left reserved by the one who did not wait


def test_gate_obeys_a_cooldown_that_begins_while_it_waits(
    make_gate: MakeGate, clock: ManualClock, limits: MemoryLimits
) -> None:
    begin = clock.monotonic()

    async def be_blocked_meanwhile(seconds: float) -> None:
        if clock.monotonic() == begin:
            limits.block("acme", seconds + 0.7)
        clock.advance(seconds)

    limits.block("acme", 0.2)
    gate = make_gate(sleeping=be_blocked_meanwhile)
    assert asyncio.run(pass_through(gate, clock)) == pytest.approx(begin + 0.9)


def test_gate_holds_no_connection_through_a_long_cooldown(make_gate: MakeGate, limits: MemoryLimits) -> None:
    gate = make_gate()

    async def be_blocked_while_connecting() -> None:
        async with gate.turn(600) as turn:
            limits.block("acme", 30)
            await turn.leave()

    with pytest.raises(CoolingDown):
        asyncio.run(be_blocked_while_connecting())


def test_gate_says_until_when_a_quota_is_spent(make_gate: MakeGate, clock: ManualClock) -> None:
    gate = make_gate({"quota": [{"limit": 1, "per": "day", "timezone": "America/New_York"}]})

    async def twice() -> None:
        await pass_through(gate, clock)
        await pass_through(gate, clock)

    with pytest.raises(QuotaSpent) as raised:
        asyncio.run(twice())
    assert raised.value.until == datetime(2013, 3, 2, 5, tzinfo=UTC)


def test_gate_lets_the_next_come_forward_when_one_has_left(make_gate: MakeGate) -> None:
    gate, order = make_gate({"concurrency": 2}), list[str]()

    async def ask(name: str) -> None:
        async with gate.turn(600) as turn:
            order.append(f"{name} connects")
            await asyncio.sleep(0)
            await turn.leave()
            order.append(f"{name} leaves")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            order.append(f"{name} ends")

    async def both() -> None:
        await asyncio.gather(ask("first"), ask("second"))

    asyncio.run(both())
    assert order.index("first leaves") < order.index("second connects") < order.index("first ends")


def test_gates_of_one_source_share_its_concurrency(make_gate: MakeGate) -> None:
    on_their_way, most = 0, 0

    async def ask() -> None:
        nonlocal on_their_way, most
        async with make_gate({"concurrency": 2}).turn(600) as turn:
            await turn.leave()
            on_their_way += 1
            most = max(most, on_their_way)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            on_their_way -= 1

    async def many() -> None:
        await asyncio.gather(*(ask() for _ in range(8)))

    asyncio.run(many())
    assert most == 2


def test_gate_is_free_again_after_a_waiter_was_cancelled(
    make_gate: MakeGate, clock: ManualClock, limits: MemoryLimits
) -> None:
    async def sleep_long(_: float) -> None:
        await asyncio.Event().wait()

    async def cancel_and_pass() -> None:
        limits.block("acme", 50)
        waiter = asyncio.create_task(pass_through(make_gate(sleeping=sleep_long), clock))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        clock.advance(50)
        await pass_through(make_gate(), clock)

    begin = clock.monotonic()
    asyncio.run(cancel_and_pass())
    assert clock.monotonic() == begin + 50
