"""How frames are printed."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    import polars as pl

_SHOWN_ROWS = 200
_PIPED_WIDTH = 1000
_MOST_COLUMNS = 9
_FEW_ROWS = 3


def as_json(value: Any) -> None:
    """Print a value as JSON: dates in ISO form, a number that is none (NaN, infinity) as null."""
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE, default=str))
    sys.stdout.buffer.flush()


def as_csv(frame: pl.DataFrame) -> None:
    """Print a frame as CSV; a list or struct, which CSV has no form for, as JSON."""
    import polars as pl

    nested = [column for column in frame if column.dtype.is_nested()]
    texts = [pl.Series(c.name, [orjson.dumps(value, default=str).decode() for value in c.to_list()]) for c in nested]
    sys.stdout.write(frame.with_columns(texts).write_csv())


def table(frame: pl.DataFrame, title: str = "") -> None:
    """Print a frame as a table for people; long ones are cut, and say so."""
    from rich.console import Console
    from rich.table import Table

    # Piped output has no width to respect: nothing is folded there.
    console = Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH)
    is_tall = frame.width > _MOST_COLUMNS and len(frame) <= _FEW_ROWS  # wide and short: stood on its side
    grid = Table(title=title or None, title_justify="left", header_style="bold", show_header=not is_tall)
    if is_tall:
        for name in frame.columns:
            grid.add_row(name, *map(cell, frame[name]))
    else:
        for name, dtype in frame.schema.items():
            grid.add_column(name, justify="right" if dtype.is_numeric() else "left", overflow="fold")
        for row in frame.head(_SHOWN_ROWS).iter_rows():
            grid.add_row(*map(cell, row))
    console.print(grid)
    if len(frame) > _SHOWN_ROWS:
        console.print(f"... {len(frame) - _SHOWN_ROWS} more rows; --json or --csv prints all of them")


def cell(value: object) -> str:
    """One value as text: numbers short, null as a dash."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1 else f"{value:,.2f}".removesuffix(".00")
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
