"""Matching a body against what a source file says of it: JSONPaths, and the wording of failures."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import jsonpath

from finpipe.sources.spec import Action, Response, ResponseAction

# A notice, an error or a block page says so at once; a large body is not searched for its wording.
_SEARCHED_BYTES = 65_536


def action_of(response: Response, status: int | None, body: bytes) -> Action | None:
    """What the first matching of `response.actions` says of an answer; None when none matches.

    Ask it only of an answer that is no success: a data body may hold any words.

    Args:
        response: How the dataset's answers are recognised.
        status: HTTP status; None when only the body is known, and the wording alone decides.
        body: As received. Its first 64 KiB are searched, as UTF-8 with bad bytes replaced.
    """
    text = body[:_SEARCHED_BYTES].decode(errors="replace")
    return next((rule.action for rule in response.actions if _matches(rule, status, text)), None)


def values_at(document: Any, path: str) -> list[Any]:
    """Every value of a decoded JSON document at a JSONPath (RFC 9535).

    Empty when there is none, and when the document is nested deeper than a `..` may descend (100).
    """
    # The library would parse a text as JSON; a document that is a text has no parts.
    if isinstance(document, str):
        return []
    try:
        return _compiled(path).findall(document)
    except RecursionError:  # the library's own error is one
        return []


def _matches(rule: ResponseAction, status: int | None, text: str) -> bool:
    if status is None and rule.content is None:
        return False
    if None not in (status, rule.status) and status != rule.status:
        return False
    return rule.content is None or re.search(rule.content, text) is not None


@lru_cache(maxsize=256)
def _compiled(path: str) -> jsonpath.JSONPath | jsonpath.CompoundJSONPath:
    return jsonpath.compile(path)
