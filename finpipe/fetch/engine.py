"""The engine: works off a source's backlog at the source's own pace.

Each source has its own few workers in one event loop, so while one cools down another runs. Nothing sleeps
for a retry: it is a row of the ledger that is due later. A request's raw object and receipt are durable
before its row says so.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from finpipe.clock import Clock
from finpipe.fetch.classify import Outcome, Verdict
from finpipe.fetch.followup import Circumstances, Followup, follow_up
from finpipe.fetch.gate import CoolingDown, Gate, QuotaSpent, Sleep, Turn
from finpipe.fetch.ledger import Claim, Conclusion, Ledger, RequestState
from finpipe.fetch.limits import LimitStore
from finpipe.fetch.recorder import Recorded, Recorder
from finpipe.fetch.transport import Transport, TransportFailure
from finpipe.sources.spec import Dataset, Source

logger = logging.getLogger(__name__)

_MOST_WORKERS = 8
"""More in flight per source cost more than they bring (measured: 8 at 20-500 ms latency keep 100/s busy)."""

_LEASE_MARGIN_SECONDS = 60.0
"""A lease covers two timeouts (connect, answer) and this for gate and disk; it is never renewed."""

_GLANCE_SECONDS = 0.25
"""How often to look whether what another process is asking has come."""


@dataclass
class Progress:
    """How far one dataset is in a run."""

    source: str
    dataset: str
    requests: int  # to be worked off
    finished: int = 0  # of them, answered or given up
    sent: int = 0  # attempts that went out
    bytes: int = 0  # received
    last_outcome: str = ""


@dataclass
class Job:
    """One source's share of a run."""

    source: Source
    datasets: Mapping[str, Dataset]
    transport: Transport
    recorder: Recorder
    gate: Gate
    progress: Mapping[str, Progress]  # by dataset
    on_progress: Callable[[Progress], None]  # gets a copy, whenever something happened
    strikes: int = 0  # answers in a row that said we ask too often
    is_stopped: bool = False

    @property
    def workers(self) -> int:
        return min(self.source.limits.concurrency, _MOST_WORKERS)

    @property
    def lease_seconds(self) -> float:
        return 2 * self.source.client.timeout.total_seconds() + _LEASE_MARGIN_SECONDS


class Engine:
    """Works off jobs; one `work` per source, all in one event loop."""

    def __init__(
        self,
        ledger: Ledger,
        limits: LimitStore,
        clock: Clock,
        patience_seconds: float,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._ledger, self._limits, self._clock = ledger, limits, clock
        self._patience, self._sleep = patience_seconds, sleep

    async def work(self, job: Job) -> None:
        """Ask until nothing of the job is due within the patience, here or in another process.

        Raises:
            StorageError: The disk refused; what was under way is free to be claimed again.
        """
        waited = 0.0
        while True:
            await asyncio.to_thread(self._ledger.release_dead)
            async with asyncio.TaskGroup() as group:
                for _ in range(job.workers):
                    group.create_task(self._work_off(job))
            held = await asyncio.to_thread(self._ledger.held_by_others, job.source.name, job.datasets)
            if not held or job.is_stopped or waited >= self._patience:
                return
            await self._sleep(_GLANCE_SECONDS)
            waited += _GLANCE_SECONDS

    async def _work_off(self, job: Job) -> None:
        while not job.is_stopped and await self._something_is_due(job):
            try:
                async with job.gate.turn(self._patience) as turn:
                    claim = await asyncio.to_thread(
                        self._ledger.claim, job.source.name, job.datasets, job.lease_seconds
                    )
                    if claim is not None:
                        await self._attempt(job, claim, turn)
            except QuotaSpent as spent:
                logger.info("%s", spent, extra={"event": "fetch_parked", "source": job.source.name})
                await asyncio.to_thread(self._ledger.park, job.source.name, job.datasets, spent.until)
            except CoolingDown as cooling:
                if cooling.seconds > self._patience:
                    return

    async def _something_is_due(self, job: Job) -> bool:
        """Wait for the next due request; False when it is further off than the patience."""
        due = await asyncio.to_thread(self._ledger.next_due, job.source.name, job.datasets)
        if due is None:
            return False
        seconds = (due - self._clock.now()).total_seconds()
        if seconds > self._patience:
            return False
        if seconds > 0:
            await self._sleep(seconds)
        return True

    async def _attempt(self, job: Job, claim: Claim, turn: Turn) -> None:
        try:
            recorded = await self._recorded(job, claim, turn)
            await self._conclude(job, claim, recorded)
        except BaseException:
            # Not to a thread: a task that is cancelled may not wait.
            self._ledger.release(claim)
            raise

    async def _recorded(self, job: Job, claim: Claim, turn: Turn) -> Recorded:
        dataset = job.datasets[claim.request.dataset]
        if claim.is_reclaimed:
            found = await asyncio.to_thread(job.recorder.recover, claim, dataset)
            if found is not None:
                return found
        asked_at = self._clock.now()
        try:
            answer = await job.transport.send(claim.request, gate=turn.leave)
        except TransportFailure as failure:
            recorded = await asyncio.to_thread(job.recorder.failure, claim, failure, asked_at)
        else:
            recorded = await asyncio.to_thread(job.recorder.answer, claim, dataset, answer)
        progress = job.progress[claim.request.dataset]
        progress.sent += 1
        progress.bytes += recorded.receipt.length or 0
        return recorded

    async def _conclude(self, job: Job, claim: Claim, recorded: Recorded) -> None:
        verdict = recorded.verdict
        job.strikes = job.strikes + 1 if verdict.outcome is Outcome.RATE_LIMITED else 0
        given = Circumstances(self._clock.now(), job.strikes, random.random())  # noqa: S311 - spreads retries
        followup = follow_up(verdict, claim, job.source, job.datasets[claim.request.dataset], given)
        # Others of the source hear of a cooldown at once, not after the ledger's sync to disk.
        await self._hold_back(job, followup, verdict)
        await asyncio.to_thread(self._ledger.conclude, claim, _conclusion(followup, recorded))
        _log(claim, followup, verdict)
        progress = job.progress[claim.request.dataset]
        progress.finished += followup.state in (RequestState.DONE, RequestState.DEAD)
        progress.last_outcome = followup.outcome
        job.on_progress(replace(progress))

    async def _hold_back(self, job: Job, followup: Followup, verdict: Verdict) -> None:
        """Slow or stop the whole source, where the answer asks for it."""
        if followup.cooldown_seconds:
            self._limits.block(job.source.name, followup.cooldown_seconds)
        if followup.parks_until is not None:
            self._limits.park(job.source.name, followup.parks_until)
        if followup.is_stop:
            job.is_stopped = True
            detail = verdict.detail
            await asyncio.to_thread(self._ledger.note, job.source.name, job.datasets, verdict.outcome, detail)


def _conclusion(followup: Followup, recorded: Recorded) -> Conclusion:
    receipt = recorded.receipt
    return Conclusion(
        state=followup.state,
        due=followup.due,
        attempt=followup.attempt,
        outcome=followup.outcome,
        error="" if followup.outcome is Outcome.OK else recorded.verdict.detail,
        status=receipt.status,
        receipt=receipt.id,
        sha256=receipt.sha256,
        reached=followup.reached,
        received_at=receipt.received_at if followup.reached is not None else None,
    )


def _log(claim: Claim, followup: Followup, verdict: Verdict) -> None:
    request = claim.request
    item = ", ".join(request.item.values()) or "all"
    logger.log(
        _level(followup),
        "%s/%s (%s, %s to %s): %s. %s",
        request.source,
        request.dataset,
        item,
        request.first,
        request.last,
        followup.outcome,
        verdict.detail,
        extra={"event": "fetch_request", "source": request.source, "dataset": request.dataset},
    )


def _level(followup: Followup) -> int:
    if followup.state is RequestState.DONE:
        return logging.DEBUG
    if followup.outcome is Outcome.NOT_PUBLISHED:
        return logging.INFO
    return logging.ERROR if followup.state is RequestState.DEAD else logging.WARNING
