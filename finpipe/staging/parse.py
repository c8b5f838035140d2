"""One body of a dataset, without receipt, slice or calendar: what `finpipe sources parse` shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from finpipe.schemas import STAGED
from finpipe.sources.matching import action_of
from finpipe.sources.spec import Dataset
from finpipe.staging.decode import decode
from finpipe.staging.observe import Delivery, Observed, observe


@dataclass(frozen=True)
class Parsed:
    """What a body holds.

    Attributes:
        rows: Canonical rows in the order of their records, each with its `table` first.
        quarantined: Per bad row: table, record (its index), rules, content (the provider's record as JSON).
        outcome: ok; empty: data without a record; the action the source file gives such a body
            (rate_limited, fail ...); unexpected: no data, and no action knows it.
        truncated: The body's trailer is missing or does not match.
        problem: Why it is no data.
    """

    rows: list[dict[str, Any]]
    quarantined: list[dict[str, Any]]
    outcome: str
    truncated: bool
    problem: str | None

    def as_json(self) -> dict[str, Any]:
        """As the command prints it: dates are ISO texts, null is null."""
        rows = [{name: _plain(value) for name, value in row.items()} for row in self.rows]
        return {
            "rows": rows,
            "quarantined": self.quarantined,
            "outcome": self.outcome,
            "truncated": self.truncated,
            **({"problem": self.problem} if self.problem else {}),
        }


def parse(dataset: Dataset, body: bytes, item: Mapping[str, str] | None = None) -> Parsed:
    """Read a body as staging would, every session taken for one.

    Args:
        dataset: Whose response it is.
        body: As received.
        item: for_each values it was asked with; what the body says of itself goes before them.
    """
    decoded = decode(dataset.response, body)
    if decoded.problem is not None:
        action = action_of(dataset.response, None, body)
        return Parsed([], [], action or "unexpected", decoded.truncated, decoded.problem)
    observed = observe(dataset, [Delivery(0, decoded, {**(item or {}), **decoded.echo})], None)
    outcome = "ok" if decoded.records else "empty"
    return Parsed(_rows(observed), _quarantined(observed), outcome, decoded.truncated, None)


def _rows(observed: Observed) -> list[dict[str, Any]]:
    rows = [
        (record, {"table": name, **row})
        for name, frame in observed.observations.items()
        for record, row in _records_and_rows(name, frame.filter("present"))
    ]
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


def _records_and_rows(table: str, rows: pl.DataFrame) -> list[tuple[int, dict[str, Any]]]:
    columns = STAGED[table].schema.names()
    return list(zip(rows["record"], rows.select(columns).iter_rows(named=True), strict=True))


def _quarantined(observed: Observed) -> list[dict[str, Any]]:
    return observed.quarantine.sort("record", "table").select("table", "record", "rules", "content").to_dicts()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
