"""Bodies to records, by format."""

from __future__ import annotations

import re
from typing import Any

import pytest

from finpipe.sources.spec import Dataset, Response
from finpipe.staging.decode import NOT_AN_OBJECT, RAGGED_ROW, REPEATED_FIELD, content_of, decode, text_of

HEADER = b"Date|Symbol|ShortVolume|ShortExemptVolume|TotalVolume|Market\n"
ROW = b"20130301|A|1|0|2|N\n"
BARS = {name: name for name in ("symbol", "session", "open", "high", "low", "close")}


def response(**fields: Any) -> Response:
    return Response.model_validate({"format": "json", "tables": [{"table": "bars", "columns": BARS}], **fields})


KEYED = response(records={"path": "$.bars", "key_as": "session"})


def test_decode_takes_records_at_a_path() -> None:
    spec = response(records={"path": "$.bars[*]"})
    assert decode(spec, b'{"bars": [{"open": "1"}, {"open": 2}]}').records == [{"open": "1"}, {"open": 2}]


def test_decode_puts_the_key_of_an_object_of_records_into_its_field() -> None:
    decoded = decode(KEYED, b'{"bars": {"2013-03-01": {"open": "1"}, "2013-03-04": {}}}')
    assert decoded.records == [{"open": "1", "session": "2013-03-01"}, {"session": "2013-03-04"}]
    assert decoded.faults == {}


def test_decode_reads_what_a_body_says_of_itself() -> None:
    spec = response(echo={"symbol": "$.meta.symbol", "absent": "$.meta.absent"})
    assert decode(spec, b'{"meta": {"symbol": "IBM"}}').echo == {"symbol": "IBM"}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b" \r\n", "is empty", id="blank"),
        pytest.param(b"{", "is not JSON", id="cut"),
        pytest.param(b'{"bars": {"a": NaN}}', "is not JSON", id="NaN"),
        pytest.param(b'{"bars": {"a": {"open": 1e999}}}', "is not JSON", id="beyond Float64"),
        pytest.param(b"[" * 100_000, "is not JSON", id="deep"),
        pytest.param(b'{"other": {}}', r"lacks \$.bars", id="required part absent"),
        pytest.param(b'{"bars": null}', "is not an object of records", id="null"),
        pytest.param(b'{"bars": [{}]}', "is not an object of records", id="list"),
        pytest.param(b'"bars"', r"lacks \$.bars", id="a text"),
    ],
)
def test_decode_states_the_problem_of_a_json_body(body: bytes, problem: str) -> None:
    decoded = decode(response(require="$.bars", records={"path": "$.bars", "key_as": "session"}), body)
    assert (decoded.records, decoded.echo) == ([], {})
    assert re.search(problem, decoded.problem or "")


def test_decode_marks_what_is_no_object() -> None:
    decoded = decode(KEYED, b'{"bars": {"a": [1], "b": {}}}')
    assert decoded.faults == {0: NOT_AN_OBJECT}
    assert decoded.records == [{"value": [1], "session": "a"}, {"session": "b"}]


@pytest.mark.parametrize("colon", [":", " :", "\n:\t"])
def test_decode_drops_no_record_of_a_key_that_stands_twice(colon: str) -> None:
    body = '{"bars": {"a"COLON{"open": 1}, "a"COLON{"open": 2}, "b": {"open": 3, "note": "9:30"}}}'.replace(
        "COLON", colon
    )
    decoded = decode(KEYED, body.encode())
    assert [(record["session"], record["open"]) for record in decoded.records] == [("a", 1), ("a", 2), ("b", 3)]


def test_decode_marks_a_record_that_names_a_field_twice() -> None:
    decoded = decode(
        response(records={"path": "$.bars", "key_as": "session"}), b'{"bars": {"a": {"open": 1, "open": 2}}}'
    )
    assert decoded.faults == {0: REPEATED_FIELD}
    assert content_of(decoded.records[0]) == '{"fields":[["open",1],["open",2]],"session":"a"}'


def test_decode_reads_a_byte_order_mark(shorts: Dataset) -> None:
    assert len(decode(shorts.response, b"\xef\xbb\xbf" + HEADER + ROW + b"1\n").records) == 1


@pytest.mark.parametrize(
    ("end", "is_truncated"),
    [
        pytest.param(b"2\n", False, id="right"),
        pytest.param(b"2", False, id="no line end"),
        pytest.param(b"0002\r\n", False, id="zeros before"),
        pytest.param(b"3\n", True, id="more"),
        pytest.param(b"0\n", True, id="none"),
        pytest.param(b"", True, id="missing"),
        pytest.param(b"9" * 5000, True, id="longer than an int may be"),
        pytest.param("\u0662\n".encode(), True, id="a digit that is not ASCII"),
    ],
)
def test_decode_compares_the_trailer_with_the_records(shorts: Dataset, end: bytes, *, is_truncated: bool) -> None:
    decoded = decode(shorts.response, HEADER + ROW + ROW + end)
    assert decoded.truncated == is_truncated
    assert [record for record in decoded.records if "Symbol" in record][:2] == decoded.records[:2]


def test_decode_does_not_look_for_a_trailer_that_is_not_declared() -> None:
    spec = response(format="csv")
    decoded = decode(spec, b"symbol,session,open,high,low,close\n1\n")
    assert (decoded.truncated, decoded.faults) == (False, {0: RAGGED_ROW})


@pytest.mark.parametrize("row", [b"20130301|A|1|0|2", b"20130301|A|1|0|2|N|x", b"20130301"[:4] + b" x"])
def test_decode_marks_a_row_of_other_width(shorts: Dataset, row: bytes) -> None:
    decoded = decode(shorts.response, HEADER + ROW + row + b"\n2\n")
    assert decoded.faults == {1: RAGGED_ROW}
    assert decoded.records[1] == {"row": row.decode()}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(b"<html><body>Access Denied</body></html>", "lacks Symbol", id="HTML"),
        pytest.param(HEADER.replace(b"TotalVolume", b"Volume") + ROW, "lacks TotalVolume or Total", id="renamed"),
        pytest.param(HEADER.replace(b"Market", b"Symbol") + ROW, "names a column twice", id="twice"),
        pytest.param(HEADER + b"20130301|" + b"A" * 200_000 + b"|1|0|2|N\n", "is not a table", id="a cell too long"),
        pytest.param(HEADER.decode().encode("utf-16"), "lacks Symbol", id="UTF-16"),
    ],
)
def test_decode_states_the_problem_of_a_table(shorts: Dataset, body: bytes, problem: str) -> None:
    decoded = decode(shorts.response, body)
    assert decoded.records == []
    assert problem in (decoded.problem or "")


def test_decode_takes_quotes_for_text_in_a_text_table_and_for_quotes_in_csv() -> None:
    columns = "symbol,session,open,high,low,close\n"
    body = (columns + '"A,B",2013-03-01,1,1,1,1\n').encode()
    assert decode(response(format="csv"), body).records[0]["symbol"] == "A,B"
    assert decode(response(format="text_table"), body).faults == {0: RAGGED_ROW}


def test_decode_keeps_bytes_that_are_no_text_apart() -> None:
    decoded = decode(response(format="csv"), b"symbol,session,open,high,low,close\nA\xff,2013-03-01,1,1,1,1\n")
    assert decoded.records[0]["symbol"] == "A\ufffd"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("x", "x"),
        (1, "1"),
        (0.1, "0.1"),
        (1e22, "1e+22"),
        (True, "\0"),
        ([1], "\0"),
        ({"a": 1}, "\0"),
    ],
)
def test_text_of_gives_no_readable_text_for_what_is_no_value(value: Any, expected: str | None) -> None:
    assert text_of(value) == expected


def test_content_of_writes_what_json_libraries_refuse() -> None:
    deep: list[Any] = []
    for _ in range(600):
        deep = [deep]
    assert content_of({"a": deep, "b": 10**30, "c": "x"}) == f'{{"a":"\\u0000","b":"{10**30}","c":"x"}}'
