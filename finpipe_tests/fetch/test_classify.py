from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from finpipe.fetch.classify import Outcome, classify
from finpipe.sources.reading import CATALOGUE, read_source
from finpipe.sources.spec import Response, Source

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "recorded"

ACTIONS = [
    {"content": "slow down", "action": "rate_limited"},
    {"content": "per day", "action": "quota_exhausted"},
    {"content": "captcha", "action": "blocked"},
    {"status": 404, "content": "not yet", "action": "not_published"},
    {"content": "no such symbol", "action": "fail"},
    {"content": "bad key", "action": "fail_config"},
    {"content": "try again", "action": "retry"},
]
TABLE = {"symbol": "Symbol", "session": "Date", "short_volume": "Short", "total_volume": ["Total", "TotalVolume"]}
TEXT: dict[str, Any] = {
    "format": "text_table",
    "delimiter": "|",
    "trailer": "record_count",
    "require": None,
    "until": None,
    "echo": {},
    "records": {},
    "tables": [{"table": "short_volume", "columns": TABLE}],
}
GOOD_TEXT = b"Date|Symbol|Short|TotalVolume\r\n20130301|IBM|1|2\r\n20130301|MSFT|3|4\r\n2\r\n"
MakeSource = Callable[..., Source]


@pytest.fixture
def json_response(make_source: MakeSource) -> Response:
    return make_source(response={"actions": ACTIONS}).datasets[0].response


@pytest.fixture
def text_response(make_source: MakeSource) -> Response:
    return make_source(response=TEXT).datasets[0].response


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        pytest.param(200, b'{"bars": {}}', Outcome.OK, id="data"),
        pytest.param(200, b'{"bars": {}, "note": "slow down"}', Outcome.OK, id="data wins over wording"),
        pytest.param(201, b'{"bars": {"2013-03-01": {}}}', Outcome.OK, id="any success status"),
        pytest.param(200, b'{"note": "please slow down"}', Outcome.RATE_LIMITED, id="refusal with 200"),
        pytest.param(200, b'{"note": "25 calls per day"}', Outcome.QUOTA_EXHAUSTED, id="quota with 200"),
        pytest.param(200, b"slow down", Outcome.RATE_LIMITED, id="plain text refusal where json was due"),
        pytest.param(200, b"<html>captcha</html>", Outcome.BLOCKED, id="challenge"),
        pytest.param(404, b"not yet", Outcome.NOT_PUBLISHED, id="both conditions"),
        pytest.param(404, b"gone", Outcome.FAIL, id="one condition only"),
        pytest.param(200, b"not yet", Outcome.UNEXPECTED, id="the other condition only"),
        pytest.param(200, b'{"error": "no such symbol"}', Outcome.FAIL, id="fail"),
        pytest.param(200, b'{"error": "bad key"}', Outcome.FAIL_CONFIG, id="key"),
        pytest.param(500, b'{"error": "try again"}', Outcome.RETRY, id="retry"),
        pytest.param(200, b"<!DOCTYPE html><html><body>Hi</body></html>", Outcome.UNEXPECTED, id="html"),
        pytest.param(200, b'{"other": 1}', Outcome.UNEXPECTED, id="json of another kind"),
        pytest.param(200, b"[]", Outcome.UNEXPECTED, id="json list"),
        pytest.param(200, b"null", Outcome.UNEXPECTED, id="json null"),
        pytest.param(200, b"", Outcome.UNEXPECTED, id="no body"),
        pytest.param(200, b"\xff\xfe\x00", Outcome.UNEXPECTED, id="bytes"),
        pytest.param(200, b'{"bars": {"2013-03', Outcome.TRUNCATED, id="cut"),
        pytest.param(200, b'{"x": "' + b"\xc3\xa9" * 500 + b'"}', Outcome.UNEXPECTED, id="long letters of two bytes"),
        pytest.param(500, b'{"bars": {}}', Outcome.RETRY, id="data with a failing status is not trusted"),
        pytest.param(429, b"", Outcome.RATE_LIMITED, id="429"),
        pytest.param(503, b"", Outcome.RETRY, id="503"),
        pytest.param(408, b"", Outcome.RETRY, id="408"),
        pytest.param(401, b"", Outcome.FAIL_CONFIG, id="401"),
        pytest.param(403, b"<html>no</html>", Outcome.FAIL_CONFIG, id="403"),
        pytest.param(302, b"", Outcome.FAIL, id="redirect"),
        pytest.param(410, b"", Outcome.FAIL, id="410"),
        pytest.param(599, b"", Outcome.RETRY, id="599"),
    ],
)
def test_classify_json(json_response: Response, status: int, body: bytes, expected: Outcome) -> None:
    assert classify(json_response, status, {}, body).outcome is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(GOOD_TEXT, Outcome.OK, id="good"),
        pytest.param(GOOD_TEXT.replace(b"\r\n", b"\n"), Outcome.OK, id="unix lines"),
        pytest.param(b"\xef\xbb\xbf" + GOOD_TEXT, Outcome.OK, id="byte order mark"),
        pytest.param(b"Date|Symbol|Short|TotalVolume\n0\n", Outcome.OK, id="empty table"),
        pytest.param(GOOD_TEXT[:-3], Outcome.TRUNCATED, id="no trailer"),
        pytest.param(GOOD_TEXT[:40], Outcome.TRUNCATED, id="cut within a record"),
        pytest.param(GOOD_TEXT.replace(b"\n2\r", b"\n3\r"), Outcome.TRUNCATED, id="trailer of more"),
        pytest.param(b"Date|Symbol|Short|TotalVolume\n", Outcome.TRUNCATED, id="header only"),
        pytest.param(b"Name|Value\nx|1\n1\n", Outcome.UNEXPECTED, id="another table"),
        pytest.param(b"<html></html>", Outcome.UNEXPECTED, id="html"),
        pytest.param(b"\n\n", Outcome.UNEXPECTED, id="blank"),
    ],
)
def test_classify_text_table(text_response: Response, body: bytes, expected: Outcome) -> None:
    assert classify(text_response, 200, {}, body).outcome is expected


def test_classify_says_why(text_response: Response, json_response: Response) -> None:
    verdict = classify(text_response, 200, {}, GOOD_TEXT.replace(b"\n2\r", b"\n7\r"))
    assert verdict.detail == "the trailer says 7, the body has 2 records before it"
    assert classify(json_response, 500, {}, b" a \n b ").detail == "HTTP 500: a b"
    assert "HTML where json was due" in classify(json_response, 200, {}, b"<html>x").detail


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"retry-after": "30"}, 30.0, id="seconds"),
        pytest.param(
            {"retry-after": "Sat, 02 Mar 2013 00:31:00 GMT", "date": "Sat, 02 Mar 2013 00:30:00 GMT"}, 60.0, id="date"
        ),
        pytest.param(
            {"retry-after": "Sat, 02 Mar 2013 00:29:00 GMT", "date": "Sat, 02 Mar 2013 00:30:00 GMT"}, 0.0, id="past"
        ),
        pytest.param({"retry-after": "Sat, 02 Mar 2013 00:31:00 GMT"}, None, id="date without the server's own"),
        pytest.param({"retry-after": "soon"}, None, id="words"),
        pytest.param({}, None, id="none"),
    ],
)
def test_classify_reads_how_long_to_wait(
    json_response: Response, headers: dict[str, str], expected: float | None
) -> None:
    assert classify(json_response, 429, headers, b"").retry_after_seconds == expected


def test_classify_takes_503_with_retry_after_for_a_limit(json_response: Response) -> None:
    assert classify(json_response, 503, {"retry-after": "5"}, b"").outcome is Outcome.RATE_LIMITED


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ('"2013-03-01"', date(2013, 3, 1)),
        ('"2013-03-01 16:00:01"', date(2013, 3, 1)),
        ('"2013-03-01T16:00:01Z"', date(2013, 3, 1)),
        ('"yesterday"', None),
        ("7", None),
        ('""', None),
    ],
)
def test_classify_reads_how_far_a_body_reaches(json_response: Response, until: str, expected: date | None) -> None:
    body = f'{{"bars": {{}}, "until": {until}}}'.encode()
    assert classify(json_response, 200, {}, body).reaches == expected


RECORDED_OUTCOMES = {
    "alpha_vantage/daily_adjusted_IBM_2023-05-12.json": (Outcome.OK, date(2023, 5, 12)),
    "alpha_vantage/daily_adjusted_MSFT_2020-03.json": (Outcome.OK, date(2020, 3, 3)),
    "alpha_vantage/error_invalid_call.json": (Outcome.FAIL, None),
    "alpha_vantage/global_quote.json": (Outcome.UNEXPECTED, None),
    "alpha_vantage/limit_information_2025.json": (Outcome.RATE_LIMITED, None),
    "alpha_vantage/limit_note_2018.json": (Outcome.RATE_LIMITED, None),
    "alpha_vantage/mock_foreign_exchange.json": (Outcome.UNEXPECTED, None),
    "alpha_vantage/mock_time_series.json": (Outcome.UNEXPECTED, None),
    "alpha_vantage/symbol_search.json": (Outcome.UNEXPECTED, None),
    "finra_daily/CNMSshvol20260911.rows.txt": (Outcome.TRUNCATED, None),
    "finra_daily/FNSQ_gme_etfs.trimmed.txt": (Outcome.TRUNCATED, None),
    "finra_daily/FNYXshvol20190228.rows.txt": (Outcome.TRUNCATED, None),
}
_SOURCE_OF = {"alpha_vantage": "alpha_vantage", "finra_daily": "finra_short_volume"}


def test_classify_recorded_answers_where_they_are() -> None:
    folders = [folder for name in _SOURCE_OF if (folder := RECORDED / name).is_dir()]
    found = {
        f"{folder.name}/{path.name}": _judged(_SOURCE_OF[folder.name], path)
        for folder in folders
        for path in folder.iterdir()
    }
    assert found == {name: RECORDED_OUTCOMES[name] for name in found}


def _judged(source_name: str, path: Path) -> tuple[Outcome, date | None]:
    response = read_source(CATALOGUE / f"{source_name}.yaml").datasets[0].response
    verdict = classify(response, 200, {}, path.read_bytes())
    return verdict.outcome, verdict.reaches


@pytest.mark.parametrize(
    ("source", "status", "body", "expected"),
    [
        ("finra_short_volume", 403, b"<Error><Code>AccessDenied</Code></Error>", Outcome.NOT_PUBLISHED),
        ("finra_short_volume", 404, b"", Outcome.NOT_PUBLISHED),
        ("finra_short_volume", 429, b"", Outcome.RATE_LIMITED),
        ("alpha_vantage", 200, b'{"Information": "the parameter apikey is invalid or missing"}', Outcome.FAIL_CONFIG),
        (
            "alpha_vantage",
            200,
            b'{"Information": "Our standard API rate limit is 25 requests per day."}',
            Outcome.QUOTA_EXHAUSTED,
        ),
    ],
)
def test_classify_by_the_catalogue(source: str, status: int, body: bytes, expected: Outcome) -> None:
    response = read_source(CATALOGUE / f"{source}.yaml").datasets[0].response
    assert classify(response, status, {}, body).outcome is expected
