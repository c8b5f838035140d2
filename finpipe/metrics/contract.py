"""What a metric column promises its readers."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True)
class Metric:
    """One column of a metric table: its contract, and the expression that keeps it.

    Attributes:
        name: Of the column.
        unit: Of the values; `quote currency` is that of the bars.
        window: Sessions a value rests on, its own included; None when it rests on all before it.
        warm_up: Sessions at the start of a history that have no value.
        description: What it says, in one sentence.
        reference: Where the formula is published.
        expression: Over the columns that the table's module prepares.
    """

    name: str
    unit: str
    window: int | None
    warm_up: int
    description: str
    reference: str
    expression: pl.Expr = field(compare=False, repr=False)
