"""Bodies no provider should send: never an exception, never a silent success."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finpipe.raw.receipt import Receipt
from finpipe.sources.spec import Dataset
from finpipe.staging.accounting import COUNTS
from finpipe.staging.observe import SessionContext
from finpipe.staging.parse import parse
from finpipe.staging.stage import stage

Received = Callable[..., tuple[Receipt, bytes]]

AT = datetime(2013, 3, 5, tzinfo=UTC)
IBM = {"symbol": "IBM"}
GOOD = (
    b'{"1. open": "10", "2. high": "12", "3. low": "9", "4. close": "11", "6. volume": "1", '
    b'"7. dividend amount": "0", "8. split coefficient": "1"}'
)
SERIES = b'{"Meta Data": {"2. Symbol": "IBM"}, "Time Series (Daily)": %s}'


def page(day: bytes = b"2013-03-01", record: bytes = GOOD) -> bytes:
    return SERIES % (b'{"%s": %s}' % (day, record))


def changed(field: bytes, value: bytes) -> bytes:
    before, _, after = GOOD.partition(b'"%s": "' % field)
    return page(record=before + b'"%s": %s' % (field, value) + after[after.index(b'"') + 1 :])


JSON_BODIES = {
    "empty": b"",
    "blank": b"\r\n",
    "NUL": b"\x00",
    "HTML": b"<!doctype html><title>Just a moment...</title>",
    "plain text": b"Edge: Too Many Requests",
    "a word": b'"ok"',
    "null": b"null",
    "a list": b"[]",
    "cut": page()[:-20],
    "cut in the middle": page()[:90],
    "two documents": page() + page(),
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    "deep lists": b"[" * 200_000,
    "deep objects": b'{"a":' * 200_000,
    "deep in a record": changed(b"4. close", b"[" * 900 + b"]" * 900),
    "deep with fields twice": page(record=b'{"a": 1, "a": ' + b"[" * 990 + b"]" * 990 + b"}"),
    "NaN": changed(b"4. close", b"NaN"),
    "Infinity": changed(b"4. close", b"-Infinity"),
    "NaN as text": changed(b"4. close", b'"NaN"'),
    "beyond Float64": changed(b"4. close", b"1e999"),
    "beyond Float64 as text": changed(b"4. close", b'"1e999"'),
    "400 digits": changed(b"4. close", b"9" * 400),
    "5,000 digits as text": changed(b"4. close", b'"' + b"9" * 5000 + b'"'),
    "5,000 digits and a field twice": page(record=b'{"a": 1, "a": %s}' % (b"9" * 300 + b"." + b"9" * 5000)),
    "true": changed(b"4. close", b"true"),
    "a list for a number": changed(b"4. close", b"[11]"),
    "an object for a number": changed(b"4. close", b'{"raw": 11}'),
    "null for a price": changed(b"4. close", b"null"),
    "a thousands separator": changed(b"4. close", b'"1,011"'),
    "full-width digits": changed(b"4. close", '"\uff11\uff11"'.encode()),
    "latin-1": changed(b"4. close", b'"11\xa0"'),
    "lone surrogate": changed(b"4. close", b'"\\ud800"'),
    "zero": changed(b"3. low", b'"0"'),
    "below zero": changed(b"3. low", b'"-1"'),
    "no dividend field": page(record=GOOD.replace(b"7. dividend", b"7. dividends")),
    "empty record": page(record=b"{}"),
    "a list for a record": page(record=b"[1, 2]"),
    "null for a record": page(record=b"null"),
    "a list of records": SERIES % b"[%s]" % GOOD,
    "null for the records": SERIES % b"null",
    "a session twice": SERIES % (b'{"2013-03-01": %s, "2013-03-01": %s}' % (GOOD, GOOD.replace(b'"11"', b'"10.5"'))),
    "a field twice": page(record=GOOD[:-1] + b', "4. close": "10.5"}'),
    "no date": page(b"yesterday"),
    "another form of date": page(b"03/01/2013"),
    "an instant": page(b"2013-03-01 00:00:00"),
    "30 February": page(b"2013-02-30"),
    "control characters in the date": page(b"2013-03-01\\u0000"),
}

HEADER = b"Date|Symbol|ShortVolume|ShortExemptVolume|TotalVolume|Market\n"
TABLE_BODIES = {
    "empty": b"",
    "HTML": b"<html>\n<body>Access Denied</body>\n</html>",
    "XML": b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
    "JSON": page(),
    "no header": b"20130301|A|1|0|2|N\n1\n",
    "another delimiter": HEADER.replace(b"|", b",") + b"20130301,A,1,0,2,N\n1\n",
    "UTF-16": (HEADER + b"20130301|A|1|0|2|N\n1\n").decode().encode("utf-16"),
    "NUL in a symbol": HEADER + b"20130301|A\x00|1|0|2|N\n1\n",
    "latin-1 symbol": HEADER + b"20130301|\xc5|1|0|2|N\n1\n",
    "a cell of 1 MB": HEADER + b"20130301|" + b"A" * 1_000_000 + b"|1|0|2|N\n1\n",
    "too few cells": HEADER + b"20130301|A|1\n1\n",
    "too many cells": HEADER + b"20130301|A|1|0|2|N|N\n1\n",
    "one cell": HEADER + b"AccessDenied\n1\n",
    "no symbol": HEADER + b"20130301||1|0|2|N\n1\n",
    "no volume": HEADER + b"20130301|A|||2|N\n1\n",
    "infinite volume": HEADER + b"20130301|A|1|0|inf|N\n1\n",
    "short above total": HEADER + b"20130301|A|3|0|2|N\n1\n",
    "a date cut by a digit": HEADER + b"2013031|A|1|0|2|N\n1\n",
    "a volume in words": HEADER + b"20130301|A|one|0|2|N\n1\n",
}


def assert_not_green(
    dataset: Dataset, body: bytes, item: dict[str, str], context: SessionContext, received: Received
) -> None:
    raw = received(body, AT, item, sessions=(date(2013, 3, 1), date(2013, 3, 1)))
    staged = stage(dataset, [raw], None, context)
    account = staged.accounts.row(0, named=True)
    assert account["records"] == sum(account[name] for name in COUNTS)
    assert account["quarantined"] == account["records"] > 0
    assert staged.quarantine["rules"].list.len().min() != 0
    parsed = parse(dataset, body, item)
    assert parsed.problem or parsed.quarantined


@pytest.mark.parametrize("name", JSON_BODIES)
def test_hostile_json_is_quarantined(prices: Dataset, context: SessionContext, received: Received, name: str) -> None:
    assert_not_green(prices, JSON_BODIES[name], IBM, context, received)


@pytest.mark.parametrize("name", TABLE_BODIES)
def test_hostile_table_is_quarantined(shorts: Dataset, context: SessionContext, received: Received, name: str) -> None:
    assert_not_green(shorts, TABLE_BODIES[name], {}, context, received)


@settings(max_examples=60)
@given(at=st.integers(0, len(page()) - 1), byte=st.binary(min_size=0, max_size=2))
def test_no_changed_byte_raises(
    prices: Dataset, context: SessionContext, received: Received, at: int, byte: bytes
) -> None:
    body = page()[:at] + byte + page()[at + 1 :]
    account = stage(prices, [received(body, AT, IBM)], None, context).accounts.row(0, named=True)
    assert account["records"] == sum(account[name] for name in COUNTS)
    parse(prices, body)


@settings(max_examples=60)
@given(body=st.binary(max_size=200), has_header=st.booleans())
def test_no_bytes_raise(
    shorts: Dataset, context: SessionContext, received: Received, body: bytes, *, has_header: bool
) -> None:
    body = HEADER + body if has_header else body
    account = stage(shorts, [received(body, AT)], None, context).accounts.row(0, named=True)
    assert account["records"] == sum(account[name] for name in COUNTS)
    parse(shorts, body)
