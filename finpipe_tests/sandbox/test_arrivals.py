"""The log of arrivals, its file and what it leaves out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from finpipe.errors import SandboxError
from finpipe.sandbox.arrivals import Arrival, ArrivalLog, redact_query


def arrival(source: str = "plain/a") -> Arrival:
    virtual = datetime(2013, 3, 2, tzinfo=UTC)
    return Arrival(source, 12.5, virtual, "/plain/a/x", status=None, in_window=1, violation=False)


def test_log_keeps_the_order_of_arrival_whatever_is_answered_first() -> None:
    log = ArrivalLog()
    first, second = log.note(arrival()), log.note(arrival("plain/b"))
    log.answered(second, 429)
    assert [(noted.source, noted.status) for noted in log.of()] == [("plain/a", None), ("plain/b", 429)]
    log.answered(first, 200)
    assert [noted.status for noted in log.of("plain/a")] == [200]


def test_log_appends_each_answer_as_a_line_that_can_be_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "arrivals.jsonl"
    path.write_text("{}\n")
    log = ArrivalLog(path)
    log.answered(log.note(arrival()), 200)
    assert json.loads(path.read_text().splitlines()[1]) == {
        "source": "plain/a",
        "monotonic": 12.5,
        "virtual_time": "2013-03-02T00:00:00+00:00",
        "path": "/plain/a/x",
        "status": 200,
        "in_window": 1,
        "violation": False,
    }
    log.close()


def test_log_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="--log"):
        ArrivalLog(tmp_path / "absent" / "arrivals.jsonl")


@pytest.mark.parametrize(
    "query", ["a=1&apikey=s3cret", "APIKEY=s3cret", "api%6Bey=s3cret&a=", "apikey=x&apikey=s3cret"]
)
def test_redact_query_leaves_out_the_key_however_it_is_spelt(query: str) -> None:
    redacted = redact_query(query)
    assert "s3cret" not in redacted
    assert "REDACTED" in redacted


def test_redact_query_keeps_the_rest() -> None:
    assert redact_query("symbol=BRK%2FB&empty=&apikey=k") == "symbol=BRK%2FB&empty=&apikey=REDACTED"
