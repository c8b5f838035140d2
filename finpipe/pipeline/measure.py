"""The metrics step: daily metrics from adjusted bars, weekly and monthly bars from daily ones."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import polars as pl

from finpipe.core import as_of, core_table, with_factors, with_gaps
from finpipe.errors import UnknownName
from finpipe.metrics import DAILY, Period, daily_metrics, period_bars
from finpipe.pipeline import names
from finpipe.pipeline.core import read_core
from finpipe.pipeline.derive import Built, Target, bring_up_to_date
from finpipe.pipeline.workspace import Workspace
from finpipe.schemas import STAGED

Frequency = Literal["daily", "weekly", "monthly"]

_PERIODS: dict[str, Period] = {"weekly": "week", "monthly": "month"}
_PRICES = ("bars", "corporate_actions")

_DAILY_SCHEMA = pl.Schema(
    {"instrument_id": pl.String, "symbol": pl.String, "session": pl.Date, "close": pl.Float64}
    | {metric.name: pl.Float64 for metric in DAILY}
)
_PERIOD_SCHEMA = pl.Schema(
    {"instrument_id": pl.String, "symbol": pl.String}
    | dict.fromkeys(("period", "first_session", "last_session"), pl.Date)
    | {"sessions": pl.UInt32}
    | dict.fromkeys(("open", "high", "low", "close", "volume", "return", "log_return"), pl.Float64)
)


def measure(workspace: Workspace, frequency: Frequency) -> Built:
    """Bring `metrics/<frequency>` up to date with core.

    Every metric is computed from an instrument's first bar on, so that a value does not depend on where a
    run began; only months from the first changed one on are written.
    """
    if frequency == "daily":
        return bring_up_to_date(
            workspace,
            daily_target(),
            [*map(names.CORE.__getitem__, (*_PRICES, "short_volume"))],
            lambda _: compute_daily(workspace),
        )
    if frequency not in _PERIODS:
        raise UnknownName("frequency", frequency, ["daily", *_PERIODS])
    every = _PERIODS[frequency]
    target = Target(
        names.metrics(frequency),
        _PERIOD_SCHEMA,
        ("instrument_id", "period"),
        dated_by="period",
        lead_days=6 if every == "week" else 0,
        compression="LZ4",
    )
    inputs = [names.CORE[name] for name in _PRICES]
    return bring_up_to_date(workspace, target, inputs, lambda _: period_bars(read_prices(workspace), every=every))


def compute_daily(workspace: Workspace, known_at: datetime | None = None) -> pl.DataFrame:
    """Daily metrics of everything known at an instant (now, when None), one row a bar."""
    bars = _with_gaps(workspace, read_prices(workspace, known_at))
    metrics = daily_metrics(bars, read_current(workspace, "short_volume", known_at))
    return metrics.filter(pl.col("close").is_not_null())  # a gap is there for windows to see, it is no bar


def read_prices(workspace: Workspace, known_at: datetime | None = None) -> pl.DataFrame:
    """Current bars with their adjustment factors, as known at an instant (now, when None)."""
    bars, actions = (read_current(workspace, name, known_at) for name in _PRICES)
    return with_factors(bars, actions)


def read_current(workspace: Workspace, canonical: str, known_at: datetime | None = None) -> pl.DataFrame:
    """A core table's facts as known at an instant (now, when None): one row a fact."""
    return as_of(read_core(workspace, canonical), core_table(STAGED[canonical]).key, known_at)


def _with_gaps(workspace: Workspace, bars: pl.DataFrame) -> pl.DataFrame:
    """The bars with rows of nulls where, by the calendar of the source that stated them, a session has none."""
    calendars = {
        source.name: workspace.calendar(dataset.cadence.calendar)
        for source, dataset in workspace.catalogue.datasets()
        if any(mapping.table == "bars" for mapping in dataset.response.tables)
    }
    if bars.is_empty():
        return bars
    first, last = bars.select(first=pl.col("session").min(), last=pl.col("session").max()).row(0)
    sessions = {name: calendar.sessions(first, last) for name, calendar in calendars.items()}
    # A source whose file was taken away has no calendar any more: its bars stay as they are.
    parts = bars.partition_by("source", as_dict=True)
    return pl.concat(with_gaps(part, sessions.get(str(name), [])) for (name,), part in parts.items())


def daily_target() -> Target:
    """The table of daily metrics."""
    return Target(names.metrics("daily"), _DAILY_SCHEMA, ("instrument_id", "session"), compression="LZ4")
