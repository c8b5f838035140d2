from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from finpipe.clock import ManualClock
from finpipe.core import core_table
from finpipe.pipeline import names
from finpipe.pipeline.health import due_work, freshness, unusable_actions
from finpipe.pipeline.workspace import Workspace
from finpipe.schemas import BARS, CORPORATE_ACTIONS
from finpipe.settings import Settings
from finpipe.stores.lake import MONTH

FRIDAY = date(2013, 3, 1)


@pytest.fixture
def workspace_at(tmp_path: Path) -> Callable[[datetime], Workspace]:
    opened = Workspace.open(Settings.read({"FINPIPE_HOME": str(tmp_path)}))
    return lambda now: replace(opened, clock=ManualClock(now))


def write_core(workspace: Workspace, canonical: str, rows: list[dict[str, object]]) -> None:
    table = {"bars": BARS, "corporate_actions": CORPORATE_ACTIONS}[canonical]
    lineage = {"source": "x", "receipt": "r", "knowledge_time": datetime(2013, 3, 1, tzinfo=UTC), "is_retracted": False}
    schema = core_table(table).schema
    frame = pl.DataFrame([{"instrument_id": "i", "currency": "USD", **lineage, **row} for row in rows], schema=schema)
    workspace.lake.table(names.CORE[canonical]).replace_months(frame.with_columns(pl.lit("m").alias(MONTH)), {"m"})


def test_action_without_a_usable_amount_is_told_with_its_reason(workspace_at: Callable[[datetime], Workspace]) -> None:
    workspace = workspace_at(datetime(2013, 3, 2, tzinfo=UTC))
    prices = {"open": 10.0, "high": 10.0, "low": 10.0, "close": 10.0}
    write_core(workspace, "bars", [{"session": date(2013, 2, 28), **prices}, {"session": FRIDAY, **prices}])
    dividend = {"session": FRIDAY, "kind": "cash_dividend"}
    write_core(workspace, "corporate_actions", [{**dividend, "amount": 0.5}])
    assert unusable_actions(workspace).is_empty()
    write_core(workspace, "corporate_actions", [{**dividend, "amount": 12.0}])
    assert unusable_actions(workspace)["reason"].to_list() == ["dividend not below the previous close"]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(datetime(2013, 3, 2, 2, 59, tzinfo=UTC), date(2013, 2, 28), id="within grace"),
        pytest.param(datetime(2013, 3, 2, 3, 0, tzinfo=UTC), FRIDAY, id="when grace has passed"),
        pytest.param(datetime(2013, 3, 4, 12, 0, tzinfo=UTC), FRIDAY, id="over the weekend"),
        pytest.param(datetime(2013, 3, 30, 12, 0, tzinfo=UTC), date(2013, 3, 28), id="on Good Friday's weekend"),
    ],
)
def test_session_is_late_only_when_availability_and_grace_have_passed(
    workspace_at: Callable[[datetime], Workspace], now: datetime, expected: date
) -> None:
    """Available at 18:00 in New York (23:00 UTC in winter), four hours of grace."""
    workspace = workspace_at(now)
    state = freshness(workspace, *workspace.catalogue.one("finra_short_volume"))
    assert (state.expected_session, state.is_fresh) == (expected, False)


def test_nothing_is_due_where_nothing_was_asked(workspace_at: Callable[[datetime], Workspace]) -> None:
    workspace = workspace_at(datetime(2013, 3, 2, tzinfo=UTC))
    assert due_work(workspace, *workspace.catalogue.one("alpha_vantage")) is None
