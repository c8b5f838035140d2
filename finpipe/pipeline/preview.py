"""A look at a table, for people."""

from __future__ import annotations

import polars as pl

from finpipe.pipeline.workspace import Workspace
from finpipe.stores.lake import MONTH


def preview(workspace: Workspace, table: str, rows: int = 8) -> str:
    """The table's newest rows as Markdown; a word when there are none."""
    stored = workspace.lake.table(table)
    if not stored.exists:
        return "not built yet"
    snapshot = stored.snapshot()
    newest = max(stored.months_changed_since(None), default=None)
    if newest is None:
        return "no rows"
    schema = snapshot.empty.drop(MONTH).schema
    return as_markdown(stored.read(schema, months=[newest]).tail(rows))


def as_markdown(frame: pl.DataFrame) -> str:
    """A frame as a Markdown table; null is empty."""
    header = ["| " + " | ".join(frame.columns) + " |", "|" + "---|" * frame.width]
    body = ["| " + " | ".join(map(_cell, row)) + " |" for row in frame.iter_rows()]
    return "\n".join(header + body)


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
