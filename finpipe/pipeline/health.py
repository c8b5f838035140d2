"""What is there, what is missing, and what waits: the facts behind checks and the data_health report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from finpipe import core
from finpipe.fetch.ledger import Entry, RequestState
from finpipe.fetch.planner import available_at
from finpipe.fetch.policy import Rules
from finpipe.pipeline import names
from finpipe.pipeline.measure import read_current
from finpipe.pipeline.workspace import Workspace
from finpipe.reports import COUNTS, DatasetFacts
from finpipe.sources.spec import Dataset, Source
from finpipe.staging.accounting import ACCOUNTS, QUARANTINE

_LOOK_BACK = timedelta(days=30)  # longer than any closure of a venue


@dataclass(frozen=True)
class Fetched:
    """Whether the ledger has anything open or given up for some days of a dataset."""

    open_requests: int
    parked: int
    dead: int
    parked_until: datetime | None
    errors: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        return not (self.open_requests or self.parked or self.dead)

    def as_metadata(self) -> dict[str, int | str]:
        """For people."""
        until = {"parked_until": self.parked_until.isoformat()} if self.parked_until else {}
        errors = {"errors": "\n".join(self.errors)} if self.errors else {}
        return {"open": self.open_requests, "parked": self.parked, "given_up": self.dead, **until, **errors}


@dataclass(frozen=True)
class DueWork:
    """Requests of a dataset that are due and nobody is at: the sessions they end with, and the newest due instant."""

    days: list[date]
    due: datetime


@dataclass(frozen=True)
class Freshness:
    """Whether the newest session that should be there is."""

    last_session: date | None
    expected_session: date | None
    due_at: datetime | None  # when the expected session counts as late

    @property
    def is_fresh(self) -> bool:
        if self.expected_session is None:
            return True
        return self.last_session is not None and self.last_session >= self.expected_session

    def as_metadata(self) -> dict[str, str]:
        """For people."""
        due_at = self.due_at.isoformat() if self.due_at else "none yet"
        return {"last_session": str(self.last_session), "expected": str(self.expected_session), "late_from": due_at}


@dataclass(frozen=True)
class Contract:
    """How many records of a dataset broke which rule."""

    records: int
    quarantined: int
    by_rule: dict[str, int]

    def as_metadata(self) -> dict[str, int]:
        """For people."""
        return {"records": self.records, "quarantined": self.quarantined, **self.by_rule}


def fetched(workspace: Workspace, source: Source, dataset: Dataset, days: Collection[date] | None = None) -> Fetched:
    """What the ledger says of the requests that cover any of `days` (of all requests, when None)."""
    concerned = [entry for entry in workspace.ledger.entries(source.name, dataset.name) if _concerns(entry, days)]
    parked = [entry for entry in concerned if entry.state is RequestState.PARKED]
    waiting = [entry for entry in concerned if entry.is_open and entry.state is not RequestState.PARKED]
    dead = [entry for entry in concerned if _was_given_up(entry)]
    errors = dict.fromkeys(entry.error for entry in (*dead, *waiting, *parked) if entry.error)
    until = min((entry.due for entry in parked), default=None)
    return Fetched(len(waiting), len(parked), len(dead), until, tuple(errors)[:5])


def freshness(workspace: Workspace, source: Source, dataset: Dataset) -> Freshness:
    """The newest session staged, against the newest whose availability and grace have passed."""
    calendar = workspace.calendar(dataset.cadence.calendar)
    now = workspace.clock.now()
    sessions = calendar.sessions(now.date() - _LOOK_BACK, now.date())
    late_from = {s: available_at(dataset, calendar, s) + dataset.cadence.grace for s in sessions}
    expected = max((session for session, instant in late_from.items() if instant <= now), default=None)
    due_at = late_from[expected] if expected else None
    return Freshness(last_session(workspace, source, dataset), expected, due_at)


def contract(workspace: Workspace, source: Source, dataset: Dataset) -> Contract:
    """The dataset's quarantine, by rule."""
    quarantine = workspace.lake.table(names.staged(source, dataset, "quarantine")).read(QUARANTINE)
    accounts = read_accounts(workspace, source, dataset)
    by_rule = Counter(rule for rules in quarantine["rules"].to_list() for rule in rules)
    records, quarantined = accounts.select(pl.col("records", "quarantined").sum()).row(0)
    return Contract(records, quarantined, dict(sorted(by_rule.items())))


def is_accounted(workspace: Workspace, source: Source, dataset: Dataset) -> bool:
    """Whether of every raw object the records are exactly the sum of what became of them."""
    balance = pl.col("records") - pl.sum_horizontal(COUNTS)
    return read_accounts(workspace, source, dataset).filter(balance != 0).is_empty()


def read_accounts(workspace: Workspace, source: Source, dataset: Dataset) -> pl.DataFrame:
    """One row a staged receipt."""
    return workspace.lake.table(names.staged(source, dataset, "accounts")).read(ACCOUNTS)


def last_session(workspace: Workspace, source: Source, dataset: Dataset) -> date | None:
    """The newest session staged in any table of the dataset."""
    newest: list[date] = []
    for name in {mapping.table for mapping in dataset.response.tables}:
        table = workspace.lake.table(names.staged(source, dataset, name))
        month = max(table.months_changed_since(None), default=None)
        if month is not None:
            newest.extend(table.read(pl.Schema({"session": pl.Date}), months=[month])["session"])
    return max(newest, default=None)


def dataset_facts(workspace: Workspace, source: Source, dataset: Dataset) -> DatasetFacts:
    """What the data_health report says of a dataset."""
    state = fetched(workspace, source, dataset)
    fresh = freshness(workspace, source, dataset)
    usage = workspace.limits.usage(source.name, Rules.of(source.limits))
    return DatasetFacts(
        source=source.name,
        dataset=dataset.name,
        accounts=read_accounts(workspace, source, dataset),
        last_session=fresh.last_session,
        due_session=fresh.expected_session,
        open_requests=state.open_requests,
        parked_requests=state.parked,
        parked_until=state.parked_until,
        budget_used=usage[0].used if usage else None,
        budget_limit=usage[0].limit if usage else None,
    )


def due_work(workspace: Workspace, source: Source, dataset: Dataset) -> DueWork | None:
    """What of a dataset was parked or put off, and is due now; None while somebody works on its requests."""
    entries = workspace.ledger.open_entries(source.name, dataset.name)
    due = [entry for entry in entries if entry.due <= workspace.clock.now()]
    if not due or any(entry.state is RequestState.LEASED for entry in entries):
        return None
    return DueWork(sorted({entry.request.last for entry in due}), max(entry.due for entry in due))


def unusable_actions(workspace: Workspace) -> pl.DataFrame:
    """Corporate actions that no adjustment factor can be computed from, each with the reason.

    From the session of one on, its instrument's adjusted prices and metrics are null.
    """
    bars, actions = (read_current(workspace, name) for name in ("bars", "corporate_actions"))
    return core.unusable_actions(bars, actions)


def _concerns(entry: Entry, days: Collection[date] | None) -> bool:
    return days is None or any(entry.request.first <= day <= entry.request.last for day in days)


def _was_given_up(entry: Entry) -> bool:
    return entry.state is RequestState.DEAD and entry.outcome != "not_published"
