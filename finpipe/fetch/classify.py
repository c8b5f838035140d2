"""What an answer means, from its body first and its status second: many providers refuse with status 200.

An answer is good when it looks like data (the required key is there, the header names the mapped fields,
the trailer counts right). Only what is not good is looked at for wording and status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import jsonpath
import orjson

from finpipe.sources.spec import Response, ResponseAction

_NOTICE_BYTES = 65536
"""Wording is looked for in so much of a body: refusals are short."""

_SHOWN = 200
"""Letters of a body that an explanation quotes."""


class Outcome(StrEnum):
    """What one attempt came to."""

    OK = "ok"
    NOT_PUBLISHED = "not_published"  # not there yet; asked again later
    RATE_LIMITED = "rate_limited"  # asked too often; the whole source cools down
    QUOTA_EXHAUSTED = "quota_exhausted"  # nothing more today
    BLOCKED = "blocked"  # turned away; the source is left alone
    RETRY = "retry"  # a passing fault
    FAIL = "fail"  # this request will never succeed
    FAIL_CONFIG = "fail_config"  # no request will, until somebody mends key or settings
    UNEXPECTED = "unexpected"  # fits nothing the source file knows
    TRUNCATED = "truncated"  # cut short


@dataclass(frozen=True)
class Verdict:
    """What an answer means.

    `detail` says why, for people. `retry_after_seconds` is what the provider asked for, if it did.
    `reaches` is the last session the body says it holds; null when it says none.
    """

    outcome: Outcome
    detail: str = ""
    retry_after_seconds: float | None = None
    reaches: date | None = None


def classify(response: Response, status: int, headers: Mapping[str, str], body: bytes) -> Verdict:
    """Judge an answer.

    Args:
        response: How the source file says its bodies are recognised.
        status: Of HTTP.
        headers: Names in lower case.
        body: Decoded of its content encoding.
    """
    is_success = status // 100 == 2  # noqa: PLR2004 - the class of status codes
    good = _looks_good(response, body) if is_success else None
    if good is not None and good.outcome is Outcome.OK:
        return good
    wait = _retry_after(headers)
    text = _text(body)
    for action in response.actions:
        if _matches(action, status, text):
            return Verdict(Outcome(action.action), f"HTTP {status}: {_quoted(text)}", wait)
    if good is not None:
        return good
    return Verdict(_of_status(status, has_wait=wait is not None), f"HTTP {status}: {_quoted(text)}", wait)


def _looks_good(response: Response, body: bytes) -> Verdict:
    if response.format == "json":
        return _json(response, body)
    return _table(response, body)


def _json(response: Response, body: bytes) -> Verdict:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        if body.lstrip()[:1] in (b"{", b"["):
            return Verdict(Outcome.TRUNCATED, "the JSON ends early or is damaged")
        return _not_what_was_due(response, body)
    if response.require is not None and _first(response.require, content) is None:
        return Verdict(Outcome.UNEXPECTED, f"no {response.require} in {_quoted(_text(body))}")
    return Verdict(Outcome.OK, reaches=_reaches(response, content))


def _table(response: Response, body: bytes) -> Verdict:
    lines = [line for line in body.splitlines() if line.strip()]
    if not lines or not _is_header(response, lines[0].decode("utf-8", "replace")):
        return _not_what_was_due(response, body)
    if response.trailer is None:
        return Verdict(Outcome.OK)
    stated, records = lines[-1].strip(), len(lines) - 2
    if stated.isdigit() and int(stated) == records:
        return Verdict(Outcome.OK)
    said = stated.decode() if stated.isdigit() else "nothing"
    return Verdict(Outcome.TRUNCATED, f"the trailer says {said}, the body has {max(records, 0)} records before it")


def _is_header(response: Response, line: str) -> bool:
    """Whether a first line names most of a table's fields; which exactly, staging minds."""
    names = {name.strip().strip('"') for name in line.lstrip("\ufeff").split(response.delimiter)}
    return any(
        2 * sum(not names.isdisjoint(fields) for fields in mapping.columns.values()) > len(mapping.columns)
        for mapping in response.tables
    )


def _not_what_was_due(response: Response, body: bytes) -> Verdict:
    text = _text(body)
    kind = "HTML" if re.match(r"\s*(<!doctype html|<html)", text, re.IGNORECASE) else "something else"
    return Verdict(Outcome.UNEXPECTED, f"{kind} where {response.format} was due: {_quoted(text)}")


def _reaches(response: Response, content: Any) -> date | None:
    found = _first(response.until, content) if response.until is not None else None
    if not isinstance(found, str):
        return None
    try:
        # Some state an instant: the date is what stands before it.
        return datetime.strptime(re.split(r"[T ]", found)[0], response.date_format).date()  # noqa: DTZ007 - a date
    except ValueError:
        return None


def _first(path: str, content: Any) -> Any:
    match = _compiled(path).match(content)
    return None if match is None else match.obj


@lru_cache
def _compiled(path: str) -> Any:
    return jsonpath.compile(path)


def _matches(action: ResponseAction, status: int, text: str) -> bool:
    has_status = action.status is None or action.status == status
    return has_status and (action.content is None or re.search(action.content, text) is not None)


def _of_status(status: int, *, has_wait: bool) -> Outcome:
    if status == HTTPStatus.TOO_MANY_REQUESTS or (status == HTTPStatus.SERVICE_UNAVAILABLE and has_wait):
        return Outcome.RATE_LIMITED
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return Outcome.FAIL_CONFIG
    if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Outcome.RETRY
    return Outcome.FAIL  # redirects too: following one may carry a key to another host


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the provider asked to wait; a date counts from the answer's own Date, by its own clock."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    try:
        until, stated = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (until - stated).total_seconds())
    except (ValueError, TypeError):
        return None


def _text(body: bytes) -> str:
    return body[:_NOTICE_BYTES].decode("utf-8", "replace")


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return line[:_SHOWN] + ("..." if len(line) > _SHOWN else "") if line else "no body"
