"""One row a dataset: is it fresh, is every record accounted for, what waits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from finpipe.schemas import Column, Table

# What becomes of a record; a raw object's records are exactly the sum of these.
COUNTS = ("new", "restated", "unchanged", "duplicate", "not_final", "out_of_scope", "quarantined")

_INSTANT = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class DatasetFacts:
    """What is known about a dataset.

    Attributes:
        source: Its source.
        dataset: Its name there.
        accounts: One row a staged receipt: received_at, records and `COUNTS`.
        last_session: Newest session present; None when there is none.
        due_session: Newest session that should be present by now; None when none is due yet.
        open_requests: Requests that are neither done nor parked.
        parked_requests: Requests that wait for a quota or a cooldown.
        parked_until: When the first of them may go.
        budget_used: Requests counted against today's quota; None without a quota.
        budget_limit: That quota.
    """

    source: str
    dataset: str
    accounts: pl.DataFrame
    last_session: date | None = None
    due_session: date | None = None
    open_requests: int = 0
    parked_requests: int = 0
    parked_until: datetime | None = None
    budget_used: int | None = None
    budget_limit: int | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether the newest session due is present."""
        if self.due_session is None:
            return True
        return self.last_session is not None and self.last_session >= self.due_session

    @property
    def is_accounted(self) -> bool:
        """Whether every receipt's records are the sum of its counts; a surplus mends no lack elsewhere."""
        balance = pl.col("records") - pl.sum_horizontal(COUNTS)
        return self.accounts.filter(balance.ne_missing(0)).is_empty()

    @property
    def state(self) -> str:
        """The first that applies of unaccounted, parked, open, stale, fresh."""
        if not self.is_accounted:
            return "unaccounted"
        if self.parked_requests:
            return "parked"
        if self.open_requests:
            return "open"
        return "fresh" if self.is_fresh else "stale"


DATA_HEALTH = Table(
    name="data_health",
    description="Freshness, accounting, waiting work and budget of every dataset.",
    columns=(
        Column("source", pl.String, "A provider."),
        Column("dataset", pl.String, "One thing it offers."),
        Column("state", pl.String, "The first that applies of unaccounted, parked, open, stale, fresh."),
        Column("last_session", pl.Date, "Newest session present.", is_nullable=True),
        Column("due_session", pl.Date, "Newest session that should be.", is_nullable=True),
        Column("is_fresh", pl.Boolean, "The newest session due is present."),
        Column("last_received_at", _INSTANT, "When its newest answer was complete.", "UTC", is_nullable=True),
        Column("records", pl.Int64, "Records in all answers staged.", unit="records"),
        Column("new", pl.Int64, "Stated a fact first.", unit="records"),
        Column("restated", pl.Int64, "Changed a fact.", unit="records"),
        Column("unchanged", pl.Int64, "Stated a fact as it stood.", unit="records"),
        Column("duplicate", pl.Int64, "Repeated another record of its answer.", unit="records"),
        Column("not_final", pl.Int64, "Came before their session's declared availability.", unit="records"),
        Column("out_of_scope", pl.Int64, "Of another item or session than was asked for.", unit="records"),
        Column("quarantined", pl.Int64, "Broke a rule.", unit="records"),
        Column("is_accounted", pl.Boolean, "Of every answer, records are the sum of the seven counts."),
        Column("open_requests", pl.Int64, "Requests neither done nor parked.", unit="requests"),
        Column("parked_requests", pl.Int64, "Requests that wait for a quota or a cooldown.", unit="requests"),
        Column("parked_until", _INSTANT, "When the first of them may go.", unit="UTC", is_nullable=True),
        Column("budget_used", pl.Int64, "Requests of today's quota used.", unit="requests", is_nullable=True),
        Column("budget_limit", pl.Int64, "Today's quota.", unit="requests", is_nullable=True),
    ),
    key=("source", "dataset"),
)


def data_health(datasets: Iterable[DatasetFacts]) -> pl.DataFrame:
    """The health of the datasets.

    It holds instants, no ages: while nothing happens the table stays the same.

    Returns:
        Rows of `DATA_HEALTH`, sorted by source and dataset.
    """
    rows = [_row(facts) for facts in datasets]
    return pl.DataFrame(rows, schema=DATA_HEALTH.schema).sort(DATA_HEALTH.key)


def _row(facts: DatasetFacts) -> dict[str, object]:
    stated = {name: getattr(facts, name) for name in DATA_HEALTH.schema.names() if hasattr(facts, name)}
    totals = facts.accounts.select(
        pl.col("received_at").max().alias("last_received_at"), pl.col("records", *COUNTS).sum()
    )
    return {**stated, **totals.row(0, named=True)}
