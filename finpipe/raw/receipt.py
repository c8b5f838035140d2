"""The record of one attempt to fetch something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from secrets import token_hex
from typing import Any

import orjson

from finpipe.errors import CorruptObject


@dataclass(frozen=True)
class Receipt:
    """What was asked, what came back, and when. Holds no secret.

    `id` begins with the instant the answer was complete, so that ids sort by time received.
    """

    id: str
    source: str
    dataset: str
    request: str  # key of the request in the ledger
    item: Mapping[str, str]  # for_each values, e.g. {"symbol": "IBM"}; empty when the dataset has none
    first: date  # sessions the request was to cover
    last: date
    url: str  # redacted
    status: int | None  # HTTP status; null when no answer came
    headers: Mapping[str, str]
    asked_at: datetime
    received_at: datetime
    outcome: str  # of fetch.classify: ok, not_published, rate_limited ...
    sha256: str | None = None  # of the body in the object store; null when there is none
    length: int | None = None  # bytes of that body
    redacted: bool = False  # a known secret was replaced in the body before it was hashed
    run: str = ""
    error: str = ""
    attempt: int = field(default=1)

    def to_json(self) -> bytes:
        """The receipt as it is stored."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)

    @classmethod
    def from_json(cls, content: bytes) -> Receipt:
        """Read a stored receipt.

        Raises:
            CorruptObject: It is not one.
        """
        try:
            fields: dict[str, Any] = orjson.loads(content)
            for name in ("first", "last"):
                fields[name] = date.fromisoformat(fields[name])
            for name in ("asked_at", "received_at"):
                fields[name] = datetime.fromisoformat(fields[name])
            return cls(**fields)
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptObject(f"a receipt cannot be read: {error}") from error


def item_key(item: Mapping[str, str]) -> str:
    """A request's for_each values as one string, the same whatever their order: `{"symbol":"IBM"}`."""
    return orjson.dumps(dict(item), option=orjson.OPT_SORT_KEYS).decode()


def new_receipt_id(received_at: datetime, token: str | None = None) -> str:
    """An id that sorts by `received_at` and ends with `token`; unique, when no token is given."""
    return f"{received_at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{token or token_hex(4)}"
