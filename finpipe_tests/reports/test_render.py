from __future__ import annotations

from datetime import UTC, date, datetime

import orjson
import polars as pl
import pytest

from finpipe.errors import UnknownName
from finpipe.reports import REPORTS, latest, report_table, to_json


def test_latest_is_every_row_of_the_newest_session() -> None:
    report = pl.DataFrame({"session": [date(2013, 3, 1), date(2013, 2, 28), date(2013, 3, 1)], "rank": [1, 1, 2]})
    assert latest(report)["rank"].to_list() == [1, 2]


def test_latest_of_a_report_without_sessions_is_all_of_it() -> None:
    report = pl.DataFrame({"source": ["a", "b"]})
    assert latest(report).equals(report)


def test_latest_of_an_empty_report_is_empty() -> None:
    assert latest(REPORTS["movers"].empty()).is_empty()


def test_json_is_the_header_then_the_rows() -> None:
    report = pl.DataFrame(
        {
            "session": [date(2013, 3, 1)],
            "at": [datetime(2013, 3, 1, 23, tzinfo=UTC)],
            "value": [None],
            "odd": [float("nan")],
            "receipts": [["r1", "r2"]],
        }
    )
    document = to_json(report, {"report": "insights", "as_of": datetime(2013, 3, 2, tzinfo=UTC)})
    assert document == (
        b'{"report":"insights","as_of":"2013-03-02T00:00:00Z","rows":[{"session":"2013-03-01",'
        b'"at":"2013-03-01T23:00:00Z","value":null,"odd":null,"receipts":["r1","r2"]}]}\n'
    )


def test_json_of_an_empty_report_has_no_rows() -> None:
    assert orjson.loads(to_json(REPORTS["movers"].empty(), {})) == {"rows": []}


def test_report_is_known_by_name() -> None:
    assert {name: table.name for name, table in REPORTS.items()} == {name: name for name in REPORTS}
    with pytest.raises(UnknownName, match=r"unknown report 'mover'; did you mean 'movers'\?"):
        report_table("mover")


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_names_its_key_and_says_what_each_column_is(name: str) -> None:
    table = report_table(name)
    assert set(table.key) <= set(table.schema)
    assert all(column.description.endswith(".") for column in table.columns)
