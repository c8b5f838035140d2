"""Wording and paths that a source file declares, against bodies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from finpipe.sources.matching import action_of, values_at
from finpipe.sources.reading import CATALOGUE, read_source
from finpipe.sources.spec import Response

FIXTURES = Path(__file__).parents[1] / "fixtures"


def response(*actions: dict[str, Any]) -> Response:
    bars = {name: name for name in ("symbol", "session", "open", "high", "low", "close", "currency")}
    return Response.model_validate(
        {"format": "json", "actions": list(actions), "tables": [{"table": "bars", "columns": bars}]}
    )


def nested(depth: int) -> Any:
    document: Any = {"a": 1}
    for _ in range(depth):
        document = [document]
    return document


def test_action_of_takes_the_first_that_matches() -> None:
    spec = response({"content": "slow", "action": "rate_limited"}, {"content": "slow down", "action": "fail"})
    assert action_of(spec, 200, b"please slow down") == "rate_limited"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        pytest.param(403, b"Threshold", "blocked", id="both hold"),
        pytest.param(403, b"AccessDenied", "not_published", id="status alone"),
        pytest.param(200, b"Threshold", None, id="other status"),
        pytest.param(None, b"Threshold", "blocked", id="status unknown: the wording decides"),
        pytest.param(None, b"AccessDenied", None, id="status unknown: a status alone never matches"),
    ],
)
def test_action_of_needs_every_condition(status: int | None, body: bytes, expected: str | None) -> None:
    spec = response(
        {"status": 403, "content": "Threshold", "action": "blocked"}, {"status": 403, "action": "not_published"}
    )
    assert action_of(spec, status, body) == expected


def test_action_of_reads_bytes_that_are_not_text() -> None:
    assert action_of(response({"content": "limit", "action": "rate_limited"}), 200, b"\xff\x00 limit") == "rate_limited"


def test_action_of_searches_only_the_beginning() -> None:
    spec = response({"content": "limit", "action": "rate_limited"})
    assert action_of(spec, 200, b" " * 70_000 + b"limit") is None


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("limit_note.json", "rate_limited"),
        ("limit_information.json", "rate_limited"),
        ("error.json", "fail"),
        ("premium.json", "fail_config"),
    ],
)
def test_action_of_reads_the_notices_of_alpha_vantage(file: str, expected: str) -> None:
    spec = read_source(CATALOGUE / "alpha_vantage.yaml").datasets[0].response
    assert action_of(spec, 200, (FIXTURES / "alpha_vantage" / file).read_bytes()) == expected


@pytest.mark.parametrize(
    ("document", "path", "expected"),
    [
        pytest.param({"a b": {"c": 1}}, "$['a b']", [{"c": 1}], id="object"),
        pytest.param({"a": [1, None]}, "$.a[*]", [1, None], id="several, null among them"),
        pytest.param([1], "$.a", [], id="absent"),
        pytest.param(None, "$.a", [], id="null document"),
        pytest.param(nested(500), "$..a", [], id="deeper than may be searched"),
        pytest.param(nested(3), "$..a", [1], id="searched"),
        pytest.param('{"a": 1}', "$.a", [], id="a text is not parsed again"),
    ],
)
def test_values_at_gives_every_value(document: Any, path: str, expected: list[Any]) -> None:
    assert values_at(document, path) == expected
