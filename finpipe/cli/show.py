"""How frames are printed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    import polars as pl

_SHOWN_ROWS = 200
_PIPED_WIDTH = 1000
_MOST_COLUMNS_OF_ONE_ROW = 8  # a single row with more is shown as a list


def as_json(value: Any) -> None:
    """Print a value as JSON: dates in ISO form, a number that is none (NaN, infinity) as null."""
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE, default=str))
    sys.stdout.buffer.flush()


def table(frame: pl.DataFrame, title: str = "") -> None:
    """Print a frame as a table for people; long ones are cut, and say so."""
    from rich.console import Console
    from rich.table import Table

    # Piped output has no width to respect: nothing is folded there.
    console = Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH)
    grid = Table(title=title or None, title_justify="left", header_style="bold")
    if len(frame) == 1 and frame.width > _MOST_COLUMNS_OF_ONE_ROW:
        grid.add_column("column")
        grid.add_column("value")
        for name, value in frame.row(0, named=True).items():
            grid.add_row(name, cell(value))
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
        return f"{value:,.0f}" if value.is_integer() and abs(value) >= 1000 else f"{value:,.4g}"  # noqa: PLR2004
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
