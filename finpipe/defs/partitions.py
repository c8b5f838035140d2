"""The slices assets are materialized by: dates, weeks that begin on Monday, months; all in UTC.

A daily partition is a session label. There are no exclusions: a closed day costs nothing, and Dagster's mappings
to weeks and months are exact only without them. `end_offset=1` offers the period that is not over yet, so that
today's session can be materialized today.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from finpipe.defs.ticks import month_of, week_of
from finpipe.pipeline.workspace import Workspace

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Partitions:
    """The partitions of each cadence; one job cannot mix them."""

    daily: dg.DailyPartitionsDefinition
    weekly: dg.WeeklyPartitionsDefinition
    monthly: dg.MonthlyPartitionsDefinition

    @classmethod
    def of(cls, workspace: Workspace) -> Partitions:
        """The partitions a home offers: from its settings' start until now, in the dev profile the sandbox's now."""
        today = workspace.clock.now().date() if workspace.sandbox else None
        return cls.between(workspace.settings.start, today)

    @classmethod
    def between(cls, first: date, last: date | None) -> Partitions:
        """Partitions of every period that holds a date from `first` to `last` (None: for ever)."""
        tomorrow, next_week, next_month = (None, None, None) if last is None else map(str, _periods_after(last))
        return cls(
            dg.DailyPartitionsDefinition(start_date=str(first), end_date=tomorrow, timezone="UTC", end_offset=1),
            dg.WeeklyPartitionsDefinition(
                start_date=str(week_of(first)), end_date=next_week, timezone="UTC", end_offset=1, day_offset=1
            ),
            dg.MonthlyPartitionsDefinition(
                start_date=str(month_of(first)), end_date=next_month, timezone="UTC", end_offset=1
            ),
        )


def _periods_after(day: date) -> tuple[date, date, date]:
    # An end cuts off the periods that are not over at it.
    return day + _DAY, week_of(day) + 7 * _DAY, month_of(month_of(day) + 31 * _DAY)


def days_of(keys: Iterable[str]) -> list[date]:
    """Partition keys as dates."""
    return [date.fromisoformat(key) for key in keys]


def range_tags(first: date, last: date) -> dict[str, str]:
    """Run tags by which one run covers every daily partition from `first` to `last`."""
    return {ASSET_PARTITION_RANGE_START_TAG: str(first), ASSET_PARTITION_RANGE_END_TAG: str(last)}
