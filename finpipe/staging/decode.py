"""Bytes to records, by format. Nothing a provider sends raises here: it is a problem, or a record's fault."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from finpipe.schemas import STAGED
from finpipe.sources.matching import values_at
from finpipe.sources.spec import Response

Record = dict[str, Any]

# Why a record as a whole cannot be used; each is a rule id in quarantine.
NOT_AN_OBJECT = "not_an_object"
REPEATED_FIELD = "repeated_field"
RAGGED_ROW = "ragged_row"

_NESTED = {dict, list}
_NO_VALUE = "\0"
_NAME = re.compile(r'"\s*:')
_BARE_INTEGER = re.compile(r"\d+", re.ASCII)


@dataclass(frozen=True)
class Decoded:
    """What a body holds.

    Attributes:
        records: One per record: the provider's field -> its value, as it came (text in a table).
        faults: Index of a record that cannot be used as a whole -> rule id.
        echo: What the body says of itself, by the names of `response.echo`.
        truncated: Its trailer is missing, or states another number of records.
        problem: Why it could not be decoded at all; there are no records then.
    """

    records: list[Record] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)
    echo: dict[str, str] = field(default_factory=dict)
    truncated: bool = False
    problem: str | None = None


def decode(response: Response, body: bytes) -> Decoded:
    """Decode a body of the response's format. Bytes that are not UTF-8 become U+FFFD, which no column takes."""
    text = body.decode("utf-8-sig", errors="replace")
    if not text.strip():
        return Decoded(problem="the body is empty")
    return _decode_json(response, text) if response.format == "json" else _decode_table(response, text)


def text_of(value: Any) -> str | None:
    """A decoded value as text, for a column to parse; what is no text and no number is text no column takes."""
    if value is None or isinstance(value, str):
        return value
    return repr(value) if type(value) in (int, float) else _NO_VALUE


def content_of(record: Record) -> str:
    """A record as JSON, for people who look at what was quarantined."""
    try:
        return orjson.dumps(record).decode()
    except TypeError:  # nested deeper, or a number longer, than orjson writes
        return orjson.dumps({name: text_of(value) for name, value in record.items()}).decode()


class _RepeatingObject(dict[str, Any]):
    """A JSON object that names a field twice; RFC 8259 leaves its meaning open, so nothing is dropped."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def _decode_json(response: Response, text: str) -> Decoded:
    try:
        document = _document(text)
    except (ValueError, RecursionError) as error:
        return Decoded(problem=f"is not JSON: {error}")
    if response.require is not None and not values_at(document, response.require):
        return Decoded(problem=f"lacks {response.require}")
    found = values_at(document, response.records.path)
    if response.records.key_as is not None and not all(isinstance(node, dict) for node in found):
        return Decoded(problem=f"{response.records.path} is not an object of records")
    records, faults = _json_records(_entries(found, response.records.key_as))
    echo = {name: text_of(value) for name, path in response.echo.items() for value in values_at(document, path)[:1]}
    return Decoded(records, faults, {name: value for name, value in echo.items() if value is not None})


def _document(text: str) -> Any:
    document = orjson.loads(text)
    names = _names_in(document)
    # orjson keeps the last of fields named alike. Every name is followed by a colon: as many colons as
    # names means none was dropped. Otherwise texts may hold colons, so look closer before parsing slowly.
    if text.count(":") == names or len(_NAME.findall(text)) == names:
        return document
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    return plain if len(plain) == len(pairs) else _RepeatingObject(pairs)


def _names_in(document: Any) -> int:
    names = 0
    nodes: list[Any] = [[document]]
    while nodes:
        node = nodes.pop()
        names += len(node) if isinstance(node, dict) else 0
        values = node.values() if isinstance(node, dict) else node
        if not _NESTED.isdisjoint(map(type, values)):  # several times as fast as to look at each
            nodes.extend(value for value in values if type(value) in _NESTED)
    return names


def _entries(found: list[Any], key_as: str | None) -> Iterable[tuple[Record, Any]]:
    """Each record's value, with what its key adds to it."""
    if key_as is None:
        return (({}, value) for value in found)
    pairs = (pair for node in found for pair in (node.pairs if isinstance(node, _RepeatingObject) else node.items()))
    return (({key_as: key}, value) for key, value in pairs)


def _json_records(entries: Iterable[tuple[Record, Any]]) -> tuple[list[Record], dict[int, str]]:
    records: list[Record] = []
    faults: dict[int, str] = {}
    for key, value in entries:
        if type(value) is dict:
            records.append({**value, **key})
            continue
        is_object = isinstance(value, _RepeatingObject)
        faults[len(records)] = REPEATED_FIELD if is_object else NOT_AN_OBJECT
        records.append({"fields" if is_object else "value": value.pairs if is_object else value, **key})
    return records, faults


def _decode_table(response: Response, text: str) -> Decoded:
    quoting: Literal[0, 3] = csv.QUOTE_NONE if response.format == "text_table" else csv.QUOTE_MINIMAL
    lines = io.StringIO(text, newline="")
    try:
        reader = csv.reader(lines, delimiter=response.delimiter, quoting=quoting, strict=True)
        rows = [row for row in reader if row]
    except csv.Error as error:
        return Decoded(problem=f"is not a table: {error}")
    header = [cell.strip() for cell in rows[0]] if rows else []
    problem = _header_problem(response, header)
    if problem is not None:
        return Decoded(problem=problem)
    truncated = response.trailer is not None and not _has_true_trailer(rows[1:])
    if response.trailer is not None and _is_trailer(rows[-1]):
        rows.pop()
    records, faults = _table_records(header, rows[1:], response.delimiter)
    return Decoded(records, faults, truncated=truncated)


def _header_problem(response: Response, header: list[str]) -> str | None:
    if len(set(header)) != len(header):
        return f"its header names a column twice: {', '.join(header)[:200]}"
    for mapping in response.tables:
        for column in STAGED[mapping.table].columns:
            fields = mapping.columns.get(column.name, ("=",))
            if not column.is_nullable and fields[0][0] != "=" and not set(fields) & set(header):
                return f"its header lacks {' or '.join(fields)}"
    return None


def _is_trailer(row: list[str]) -> bool:
    return len(row) == 1 and _BARE_INTEGER.fullmatch(row[0].strip()) is not None


def _has_true_trailer(rows: list[list[str]]) -> bool:
    return bool(rows) and _is_trailer(rows[-1]) and (rows[-1][0].strip().lstrip("0") or "0") == str(len(rows) - 1)


def _table_records(header: list[str], rows: list[list[str]], delimiter: str) -> tuple[list[Record], dict[int, str]]:
    faults = {index: RAGGED_ROW for index, row in enumerate(rows) if len(row) != len(header)}
    records = [dict(zip(header, map(str.strip, row), strict=False)) for row in rows]
    for index in faults:
        records[index] = {"row": delimiter.join(rows[index])}
    return records, faults
