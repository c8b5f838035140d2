"""What describes a table."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from polars.datatypes import DataTypeClass


@dataclass(frozen=True)
class Column:
    """One column. `unit` is a word for people; a money column's unit names its currency column."""

    name: str
    dtype: DataTypeClass | pl.DataType
    description: str
    unit: str = ""
    is_nullable: bool = False


@dataclass(frozen=True)
class Rule:
    """What every row must satisfy. A row fails where `holds` is false; a null result passes."""

    name: str
    holds: pl.Expr
    description: str


@dataclass(frozen=True)
class Table:
    """A canonical table: one row per key and version."""

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    rules: tuple[Rule, ...] = ()

    @property
    def schema(self) -> pl.Schema:
        """Column names and dtypes, in order."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    @property
    def values(self) -> tuple[str, ...]:
        """The columns that are not the key: what can be restated."""
        return tuple(column.name for column in self.columns if column.name not in self.key)

    def empty(self) -> pl.DataFrame:
        """The table without a row."""
        return pl.DataFrame(schema=self.schema)
