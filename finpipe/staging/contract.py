"""A table's contract: nullability, finite numbers and its rules, checked row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl

from finpipe.errors import ContractError
from finpipe.schemas import STAGED, Column, Rule

if TYPE_CHECKING:
    import dataframely as dy

VIOLATIONS = pl.Schema({"row": pl.UInt32, "rule": pl.String})


class Contract:
    """The contract of one canonical table, held by dataframely, which can be replaced here alone."""

    def __init__(self, columns: tuple[Column, ...], rules: tuple[Rule, ...]) -> None:
        self._schema = _schema_of(columns, rules)

    def violations(self, rows: pl.DataFrame) -> pl.DataFrame:
        """What each bad row breaks.

        Args:
            rows: The table's columns, and `row` (UInt32), which names a row. Others are left aside.

        Returns:
            VIOLATIONS, one row per row and broken rule: a rule's name, or `<column>|not_null`,
            `<column>|nan`, `<column>|inf`. A rule that cannot be decided for a null passes.

        Raises:
            ContractError: A column is missing or of another dtype, which is a bug of ours.
        """
        from dataframely.exc import SchemaError

        try:
            failure = self._schema.filter(rows)[1]
        except SchemaError as error:
            raise ContractError(f"rows do not have the columns of their table: {error}") from error
        broken = list(failure.counts())
        details = failure.details() if broken else rows
        return violations_of({_readable(name): details["row"].filter(details[name] == "invalid") for name in broken})


def violations_of(rows: Mapping[str, pl.Series]) -> pl.DataFrame:
    """VIOLATIONS from the rows that break each rule."""
    found = [pl.DataFrame({"row": row}).with_columns(rule=pl.lit(rule)) for rule, row in rows.items() if len(row)]
    return pl.concat([pl.DataFrame(schema=VIOLATIONS), *found])


@cache
def contract_of(table: str) -> Contract:
    """The contract of the canonical table of that name."""
    found = STAGED[table]
    return Contract(found.columns, found.rules)


def _readable(rule: str) -> str:
    return rule.replace("|nullability", "|not_null")


def _constant(holds: pl.Expr) -> Callable[[Any], pl.Expr]:
    return lambda _schema: holds


def _schema_of(columns: tuple[Column, ...], rules: tuple[Rule, ...]) -> type[dy.Schema]:
    import dataframely as dy  # takes 2 CPU-seconds to import

    kinds: dict[Any, Callable[..., dy.Column]] = {pl.String: dy.String, pl.Float64: dy.Float64, pl.Date: dy.Date}
    fields: dict[str, Any] = {c.name: kinds[c.dtype](nullable=c.is_nullable) for c in columns}
    checks = {rule.name: dy.rule()(_constant(rule.holds)) for rule in rules}
    return type("Rows", (dy.Schema,), {"row": dy.UInt32(), **fields, **checks})
