"""A report as its readers take it."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import polars as pl


def latest(report: pl.DataFrame) -> pl.DataFrame:
    """The rows of its newest session; all rows where a report has no session."""
    if "session" not in report.columns:
        return report
    return report.filter(pl.col("session") == pl.col("session").max())


def to_json(report: pl.DataFrame, header: Mapping[str, object]) -> bytes:
    """One JSON object: the header's fields, then `rows`, one object a row.

    Dates and instants are ISO 8601 (UTC as Z); null is null, and a number that is none is null too.
    """
    document = {**header, "rows": report.to_dicts()}
    return orjson.dumps(document, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)
