"""The API manager: what is asked for becomes the fewest requests, and these are worked off at each source's pace."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from finpipe.clock import Clock
from finpipe.errors import MissingSecret
from finpipe.fetch.classify import Outcome
from finpipe.fetch.engine import Engine, Job, Progress
from finpipe.fetch.gate import Gate, Sleep
from finpipe.fetch.ledger import Entry, Ledger, RequestState
from finpipe.fetch.limits import LimitStore
from finpipe.fetch.planner import Ask, Plan, plan
from finpipe.fetch.recorder import Recorder
from finpipe.fetch.transport import Transport
from finpipe.raw.store import RawStore
from finpipe.redaction import Redactor
from finpipe.sources.spec import ApiKey, Source

logger = logging.getLogger(__name__)

_MOST_ERRORS = 5


@dataclass(frozen=True)
class FetchOutcome:
    """What became of one ask. `asked`, `no_session` and `not_due` count days, the next two item-sessions."""

    source: str
    dataset: str
    asked: int
    no_session: int
    not_due: int
    covered: int  # were there already
    requests: int  # that cover the rest, from this ask or an earlier one
    sent: int  # attempts of this run that went out
    done: int
    waiting: int  # requests due later, or that somebody else is asking
    parked: int
    unpublished: int  # given up: the provider does not have it
    dead: int  # given up for another reason
    bytes: int  # received in this run
    parked_until: datetime | None  # UTC
    errors: list[str]  # of what is not done, each once, the first few

    @property
    def is_complete(self) -> bool:
        """Whether nothing that was asked is still open or given up for a fault."""
        return not (self.waiting or self.parked or self.dead)

    def as_metadata(self) -> dict[str, int | float | str]:
        """The outcome as flat values."""
        values: dict[str, int | float | str] = {
            name: value for name, value in asdict(self).items() if isinstance(value, int | str)
        }
        if self.parked_until is not None:
            values["parked_until"] = self.parked_until.isoformat(timespec="seconds")
        if self.errors:
            values["errors"] = "\n".join(self.errors)
        return values


class ApiManager:
    """Fetches what is asked for and not there yet, each source at its own pace, all in one event loop.

    Managers in other processes of the home share backlog and limits. The caller owns the stores.
    """

    def __init__(  # noqa: PLR0913 - every part it is wired from, by name
        self,
        *,
        ledger: Ledger,
        limits: LimitStore,
        raw: RawStore,
        clock: Clock,
        secret: Callable[[str, str], str],
        patience_seconds: float,
        run: str = "",
        transport_for: Callable[[Source], Transport] | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Wire the manager.

        Args:
            ledger: Of the home.
            limits: Shared by all who ask the same sources.
            raw: Where bodies and receipts go.
            clock: The only clock.
            secret: Gives the secret of (source, variable) or raises MissingSecret.
            patience_seconds: A run waits no longer than this for the next request to be due.
            run: Written into receipts.
            transport_for: Another way to ask than HTTP; for tests and other protocols.
            sleep: Another way to wait; for tests.
        """
        self._ledger, self._limits, self._raw, self._clock = ledger, limits, raw, clock
        self._secret, self._patience, self._run = secret, patience_seconds, run
        self._transport_for, self._sleep = transport_for, sleep

    async def fetch(
        self, asks: Sequence[Ask], *, on_progress: Callable[[Progress], None] | None = None
    ) -> list[FetchOutcome]:
        """Account for every ask.

        A source that fails or makes us wait does not raise and does not stop others; its outcome says so.

        Returns:
            One outcome per ask, in their order.

        Raises:
            CalendarError: An asked day outside its calendar.
            StorageError: The disk refused.
        """
        shares = [await asyncio.to_thread(self._enqueue, ask) for ask in asks]
        by_source: dict[str, list[_Share]] = {}
        for share in shares:
            by_source.setdefault(share.ask.source.name, []).append(share)
        try:
            async with asyncio.TaskGroup() as group:
                for of_source in by_source.values():
                    group.create_task(self._work(of_source, on_progress or _ignore))
        except BaseExceptionGroup as failures:
            # A caller expects the error itself; what else failed stands in the chain.
            raise _first(failures) from failures
        return [await asyncio.to_thread(self._outcome, share) for share in shares]

    def _enqueue(self, ask: Ask) -> _Share:
        source, dataset = ask.source.name, ask.dataset.name
        covered, pending = self._ledger.covered(source, dataset), self._ledger.pending(source, dataset)
        planned = plan(ask, now=self._clock.now(), coverage=covered, pending=pending)
        self._ledger.enqueue(planned.requests)
        keys = {request.key for request in planned.requests}
        if planned.pending:
            entries = self._ledger.open_entries(source, dataset)
            keys |= {entry.request.key for entry in entries if _concerns(entry, ask)}
        return _Share(ask, planned, keys, Progress(source, dataset, len(keys)))

    async def _work(self, shares: Sequence[_Share], on_progress: Callable[[Progress], None]) -> None:
        source = shares[0].ask.source
        datasets = {share.ask.dataset.name: share.ask.dataset for share in shares}
        if not await asyncio.to_thread(self._has_work, source.name, datasets):
            return
        try:
            secret = self._secret_of(source)
        except MissingSecret as missing:
            logger.error("%s", missing, extra={"event": "fetch_secret_missing", "source": source.name})  # noqa: TRY400 - its text says all
            await asyncio.to_thread(self._ledger.note, source.name, datasets, Outcome.FAIL_CONFIG, str(missing))
            return
        transport = self._transport(source, secret)
        job = Job(
            source=source,
            datasets=datasets,
            transport=transport,
            recorder=Recorder(source, self._raw, Redactor([secret]), self._clock, self._run),
            gate=Gate(source, self._limits, self._clock, sleep=self._sleep),
            progress={share.ask.dataset.name: share.progress for share in shares},
            on_progress=on_progress,
        )
        try:
            engine = Engine(self._ledger, self._limits, self._clock, self._patience, sleep=self._sleep)
            await engine.work(job)
        finally:
            await transport.close()

    def _has_work(self, source: str, datasets: Iterable[str]) -> bool:
        is_due = self._ledger.next_due(source, datasets) is not None
        return is_due or self._ledger.held_by_others(source, datasets) > 0

    def _secret_of(self, source: Source) -> str:
        auth = source.client.auth
        return self._secret(source.name, auth.secret) if isinstance(auth, ApiKey) else ""

    def _transport(self, source: Source, secret: str) -> Transport:
        if self._transport_for is not None:
            return self._transport_for(source)
        from finpipe.fetch.client import HttpTransport  # httpx costs a quarter of a second to import

        return HttpTransport(source.client, secret, self._clock)

    def _outcome(self, share: _Share) -> FetchOutcome:
        entries = self._ledger.entries_of(share.keys)
        ask, planned, progress = share.ask, share.plan, share.progress
        states = Counter(_standing(entry) for entry in entries)
        parked = [entry.due for entry in entries if entry.state is RequestState.PARKED]
        troubles = dict.fromkeys(entry.error for entry in entries if entry.error)
        return FetchOutcome(
            source=ask.source.name,
            dataset=ask.dataset.name,
            asked=len(set(ask.sessions)),
            no_session=len(planned.no_session),
            not_due=len(planned.not_due),
            covered=planned.covered,
            requests=len(entries),
            sent=progress.sent,
            done=states["done"],
            waiting=states["waiting"],
            parked=states["parked"],
            unpublished=states["unpublished"],
            dead=states["dead"],
            bytes=progress.bytes,
            parked_until=min(parked, default=None),
            errors=list(troubles)[:_MOST_ERRORS],
        )


@dataclass(frozen=True)
class _Share:
    """An ask on its way."""

    ask: Ask
    plan: Plan
    keys: set[str]  # of the requests that concern it
    progress: Progress


def _concerns(entry: Entry, ask: Ask) -> bool:
    """Whether an open request covers something of what is asked."""
    request = entry.request
    return request.item in ask.items and any(request.first <= day <= request.last for day in ask.sessions)


def _standing(entry: Entry) -> str:
    """How an outcome counts a request."""
    match entry.state:
        case RequestState.READY | RequestState.LEASED:
            return "waiting"
        case RequestState.DEAD if entry.outcome == Outcome.NOT_PUBLISHED:
            return "unpublished"
        case _:
            return entry.state.value


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _ignore(_: Progress) -> None:
    """Nobody watches."""
