"""A source file's table mappings: the provider's fields as text to the columns of canonical tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from finpipe.schemas import STAGED
from finpipe.sources.spec import Dataset, TableMapping
from finpipe.staging.contract import violations_of
from finpipe.staging.decode import Record, text_of

# What providers write where they have no number and no date. In a text only the empty text is missing:
# NA, NULL and None could be symbols.
MISSING = ("", ".", "-", "N/A", "None", "null")

GIVEN = "given:"  # begins a column that holds what is known of the whole raw object
_TEXTS = {str, type(None)}
_FIELD = "field:"  # begins a column that holds the provider's field

# A control character, or the mark of bytes that were not UTF-8.
_UNREADABLE = r"[\x00-\x1f\x7f\x{fffd}]"

_OPERATORS: dict[str, Callable[[pl.Expr, float | str], pl.Expr]] = {
    "<": pl.Expr.lt,
    "<=": pl.Expr.le,
    ">": pl.Expr.gt,
    ">=": pl.Expr.ge,
    "==": pl.Expr.eq,
    "!=": pl.Expr.ne,
}


@dataclass(frozen=True)
class Mapped:
    """Rows of one table from one mapping.

    Attributes:
        rows: row (UInt32), number, record, the table's columns, and `present`: false where the mapping's
            condition does not hold, so that the record says the fact is not; only its key is filled then.
        violations: VIOLATIONS: values that are there but cannot be read, conditions that cannot be decided.
    """

    rows: pl.DataFrame
    violations: pl.DataFrame


def texts_of(dataset: Dataset, records: Sequence[Record]) -> pl.DataFrame:
    """The provider's fields that `dataset` maps, one String column each; null where a record lacks it."""
    return pl.DataFrame([_series(name, [record.get(name) for record in records]) for name in _fields(dataset)])


def given_names(dataset: Dataset) -> list[str]:
    """Names of what is known of a whole raw object: asked for, or said by the body of itself."""
    asked = {*dataset.for_each, "session"} if dataset.span == "session" else {*dataset.for_each}
    return sorted(asked | dataset.response.echo.keys())


def mapped(dataset: Dataset, mapping: TableMapping, records: pl.DataFrame, first_row: int) -> Mapped:
    """Rows of `mapping.table`, one per record.

    Args:
        dataset: Whose mapping it is.
        mapping: One of its table mappings.
        records: number, record, the columns of `texts_of`, and `given:<name>` (String) for what is known
            of the whole raw object by the names of for_each and echo.
        first_row: `row` of the first record.
    """
    table = STAGED[mapping.table]
    texts = records.select("number", "record", *(_text(dataset, mapping, c.name).alias(c.name) for c in table.columns))
    values = texts.select(_VALUES[c.dtype](pl.col(c.name), dataset.response.date_format) for c in table.columns)
    condition = _condition(mapping, records)
    faults = {f"parse_failed:{c.name}": _is_unread(texts[c.name], values[c.name]) for c in table.columns}
    for column in set(table.values):
        faults[f"parse_failed:{column}"] &= condition.present
    index = texts.select(
        pl.int_range(first_row, first_row + pl.len(), dtype=pl.UInt32).alias("row"), "number", "record"
    )
    rows = index.hstack(values).with_columns(present=condition.present)
    emptied = pl.when("present").then(pl.col(table.values)) if mapping.when else pl.col(table.values)
    faults |= condition.faults
    violations = violations_of({rule: rows["row"].filter(mask) for rule, mask in faults.items() if mask.any()})
    return Mapped(rows.with_columns(emptied), violations)


@dataclass(frozen=True)
class _Condition:
    present: pl.Series
    faults: dict[str, pl.Series]


def _condition(mapping: TableMapping, records: pl.DataFrame) -> _Condition:
    if mapping.when is None:
        return _Condition(pl.repeat(value=True, n=records.height, dtype=pl.Boolean, eager=True), {})
    name, fields = mapping.when.name, mapping.fields_of(mapping.when.name)
    text = records.select(_joined(fields).alias(name)).to_series()
    dtype = pl.String if isinstance(mapping.when.value, str) else pl.Float64
    value = text.to_frame().select(_VALUES[dtype](pl.col(name), "")).to_series()
    unread = _is_unread(text, value)
    holds = value.to_frame().select(_OPERATORS[mapping.when.symbol](pl.col(name), mapping.when.value)).to_series()
    # A condition that cannot be decided says neither that the fact is nor that it is not.
    faults = {f"parse_failed:{name}": unread, f"{name}|not_null": value.is_null() & ~unread}
    return _Condition(holds.fill_null(value=False), faults)


def _fields(dataset: Dataset) -> list[str]:
    fields = {f: None for m in dataset.response.tables for of in m.columns.values() for f in of if f[0] != "="}
    key = dataset.response.records.key_as
    return [*fields, *([key] if key is not None and key not in fields else [])]


def _series(name: str, values: list[object]) -> pl.Series:
    # Polars is never shown another type: a value nested 900 deep takes it minutes to refuse.
    texts = values if _TEXTS.issuperset(map(type, values)) else [text_of(value) for value in values]
    return pl.Series(_FIELD + name, texts, dtype=pl.String)


def _text(dataset: Dataset, mapping: TableMapping, column: str) -> pl.Expr:
    if column in mapping.columns:
        return _joined(mapping.columns[column])
    if column == dataset.response.records.key_as:
        return pl.col(_FIELD + column)
    if column in given_names(dataset):
        return pl.col(GIVEN + column)
    return pl.lit(dataset.currency if column == "currency" else None, dtype=pl.String)


def _joined(fields: Sequence[str]) -> pl.Expr:
    return pl.coalesce(pl.lit(f[1:]) if f[0] == "=" else pl.col(_FIELD + f) for f in fields)


def _is_unread(text: pl.Series, value: pl.Series) -> pl.Series:
    unread = value.is_null() & text.is_not_null()
    missing = MISSING if value.dtype != pl.String else ("",)
    return unread & ~text.is_in(missing) if unread.any() else unread


def _number(text: pl.Expr, _date_format: str) -> pl.Expr:
    value = text.cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def _date(text: pl.Expr, date_format: str) -> pl.Expr:
    # The parser takes 2013031 for 1 March 2013: a date counts when it is written back the same.
    value = text.str.to_date(date_format, strict=False)
    return pl.when(value.dt.to_string(date_format) == text).then(value)


def _word(text: pl.Expr, _date_format: str) -> pl.Expr:
    return pl.when((text != "") & ~text.str.contains(_UNREADABLE)).then(text)


_VALUES: dict[object, Callable[[pl.Expr, str], pl.Expr]] = {pl.Float64: _number, pl.Date: _date, pl.String: _word}
