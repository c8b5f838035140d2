"""The report step: report tables from metrics, bars and the accounts of every dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from finpipe.errors import UserError
from finpipe.files import locked, write_atomic
from finpipe.pipeline import names
from finpipe.pipeline.derive import WHOLE, Built, Target, bring_up_to_date, replace_differing
from finpipe.pipeline.health import dataset_facts
from finpipe.pipeline.measure import compute_daily, daily_target, read_prices
from finpipe.pipeline.workspace import Workspace
from finpipe.reports import REPORTS, data_health, insights, latest, market_summary, movers, report_table, to_json

REPORT_NAMES = tuple(REPORTS)
HEALTH = "data_health"

_COMPUTE: dict[str, Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]] = {
    "market_summary": market_summary,
    "movers": movers,
    "insights": insights,
}


@dataclass(frozen=True)
class Shown:
    """A report as it is shown."""

    name: str
    basis: str  # what the rows rest on
    rows: pl.DataFrame

    def for_people(self) -> pl.DataFrame:
        """The rows without what serves joins and tracing only."""
        return self.rows.drop("instrument_id", "receipts", strict=False)

    def as_json(self) -> dict[str, Any]:
        """The report as one JSON object."""
        return {"report": self.name, "basis": self.basis, "rows": self.rows.to_dicts()}


def build_report(workspace: Workspace, name: str) -> Built:
    """Bring `reports/<name>` up to date, and the JSON of its newest session in the home's `reports/`.

    Raises:
        UnknownName: There is no such report.
    """
    table = report_table(name)
    if name == HEALTH:
        built = _build_health(workspace)
    else:
        inputs = [names.metrics("daily"), names.CORE["bars"], names.CORE["corporate_actions"]]
        target = Target(names.report(name), table.schema, table.key)
        built = bring_up_to_date(workspace, target, inputs, lambda _: _COMPUTE[name](*_frames(workspace)))
    _publish(workspace, name)
    return built


def read_report(workspace: Workspace, name: str, *, as_of: datetime | None = None, history: bool = False) -> Shown:
    """A report as known now (the stored table), or at an earlier instant (computed from what was known then).

    Raises:
        UnknownName: There is no such report.
        UserError: It cannot be shown as of an instant, or was never built.
    """
    table = report_table(name)
    if as_of is None:
        stored = workspace.lake.table(names.report(name))
        if not stored.exists:
            raise UserError(
                f"the report {name} was not built yet; run `finpipe demo`, or `finpipe fetch` and `finpipe build`."
            )
        rows, basis = stored.read(table.schema).sort(table.key), "as known now"
    elif name == HEALTH:
        raise UserError(f"{HEALTH} tells the present state of the home; it has no --as-of.")
    else:
        rows = _COMPUTE[name](compute_daily(workspace, as_of), read_prices(workspace, as_of)).sort(table.key)
        basis = f"as known at {as_of.isoformat()}, history by its declared availability"
    return Shown(name, basis, rows if history else latest(rows))


def _frames(workspace: Workspace) -> tuple[pl.DataFrame, pl.DataFrame]:
    target = daily_target()
    return workspace.lake.table(target.name).read(target.schema), read_prices(workspace)


def _build_health(workspace: Workspace) -> Built:
    table = report_table(HEALTH)
    rows = data_health(
        [dataset_facts(workspace, source, dataset) for source, dataset in workspace.catalogue.datasets()]
    )
    target = Target(names.report(HEALTH), table.schema, table.key, dated_by=None)
    with locked(workspace.lock_file(target.name)):
        return replace_differing(workspace.lake.table(target.name), target, rows, [WHOLE])


def _publish(workspace: Workspace, name: str) -> None:
    stored = workspace.lake.table(names.report(name))
    rows = latest(stored.read(report_table(name).schema).sort(report_table(name).key))
    header = {"report": name, "table_version": stored.version()}
    write_atomic(workspace.home.reports / f"{name}.json", to_json(rows, header))
