from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.definitions.partitions.subset import TimeWindowPartitionsSubset

from finpipe.defs.partitions import Partitions
from finpipe.defs.ticks import month_of, week_of
from finpipe.pipeline.workspace import Workspace

FIRST, LAST = date(2000, 1, 1), date(2013, 3, 1)


def test_partitions_of_the_dev_profile_end_where_the_world_does(workspace: Workspace) -> None:
    partitions = Partitions.of(workspace)
    assert partitions.daily.get_last_partition_key() == "2013-03-02"
    assert partitions.weekly.get_last_partition_key() == "2013-02-25"
    assert partitions.monthly.get_last_partition_key() == "2013-03-01"


def test_partitions_without_an_end_offer_the_day_week_and_month_that_are_not_over() -> None:
    partitions = Partitions.between(FIRST, None)
    with partition_loading_context(datetime(2026, 11, 22, 12, tzinfo=UTC)):  # a Sunday
        assert partitions.daily.get_last_partition_key() == "2026-11-22"
        assert partitions.weekly.get_last_partition_key() == "2026-11-16"
        assert partitions.monthly.get_last_partition_key() == "2026-11-01"


@pytest.mark.parametrize("first", [date(2000, 1, 1), date(2000, 1, 19)])
def test_every_day_lies_in_a_week_and_a_month_that_are_offered(first: date) -> None:
    partitions = Partitions.between(first, LAST)
    for day in (first, LAST):
        assert partitions.daily.has_partition_key(str(day))
        assert partitions.weekly.has_partition_key(str(week_of(day)))
        assert partitions.monthly.has_partition_key(str(month_of(day)))


@pytest.mark.parametrize(
    ("period", "next_of"),
    [
        pytest.param("weekly", lambda day: day + timedelta(days=7), id="weekly"),
        pytest.param("monthly", lambda day: month_of(day + timedelta(days=31)), id="monthly"),
    ],
)
def test_mapping_of_days_to_every_period_is_exact(period: str, next_of: Callable[[date], date]) -> None:
    partitions = Partitions.between(FIRST, LAST)
    upper: dg.TimeWindowPartitionsDefinition = getattr(partitions, period)
    mapping = dg.TimeWindowPartitionMapping()
    for key in upper.get_partition_keys():
        mapped = mapping.get_upstream_mapped_partitions_result_for_partitions(
            upper.subset_with_partition_keys([key]), upper, partitions.daily
        )
        subset = mapped.partitions_subset
        assert isinstance(subset, TimeWindowPartitionsSubset)
        [window] = subset.included_time_windows
        first, after = date.fromisoformat(key), next_of(date.fromisoformat(key))
        # What lies before the first day that is offered, or after the last, is not there to be mapped.
        assert window.start.date() == max(first, FIRST)
        assert window.end.date() == min(after, LAST + timedelta(days=1))
