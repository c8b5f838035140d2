from __future__ import annotations

import json
import subprocess
import sys
from datetime import date

import pytest

from finpipe.cli import dates
from finpipe.errors import InvalidDate


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv = ['finpipe', '--help']\n"
        "from finpipe.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'polars', 'dagster', 'duckdb', 'httpx', 'pydantic', 'deltalake', 'yaml'} & set(sys.modules)))"
    )
    out = subprocess.check_output([sys.executable, "-c", script], text=True)
    assert "market-data platform" in out
    assert out.splitlines()[-1] == "[]"


def test_sql_prints_json_csv_or_a_table(run) -> None:
    query = "select 1 as one, date '2013-02-28' as day, 'nan'::double as none, null as nothing"
    assert json.loads(run("sql", query, "--json").out) == [
        {"one": 1, "day": "2013-02-28", "none": None, "nothing": None}
    ]
    assert run("sql", query, "--csv").out == "one,day,none,nothing\n1,2013-02-28,NaN,\n"
    assert "2013-02-28" in run("sql", query).out


def test_sql_prints_lists_in_csv_as_json(run) -> None:
    assert run("sql", "select ['a', 'b'] as rules, 1 as n", "--csv").out == 'rules,n\n"[""a"",""b""]",1\n'


def test_build_of_an_empty_home_makes_empty_tables_and_says_so(run) -> None:
    steps = json.loads(run("build", "--json").out)
    assert len(steps) == 13
    assert {step.get("rows_written", 0) for step in steps[:-1]} == {0}
    assert json.loads(run("sql", "select count(*) as n from bars", "--json").out) == [{"n": 0}]
    assert json.loads(run("report", "insights", "--json").out)["rows"] == []


def test_last_counts_days_up_to_today() -> None:
    assert dates.last("14d", date(2013, 3, 2)) == (date(2013, 2, 17), date(2013, 3, 2))
    assert dates.last("2w", date(2013, 3, 2)) == (date(2013, 2, 17), date(2013, 3, 2))
    assert dates.days_between(date(2013, 2, 27), date(2013, 3, 1)) == [
        date(2013, 2, 27), date(2013, 2, 28), date(2013, 3, 1),
    ]  # fmt: skip


def test_instant_without_a_zone_is_utc() -> None:
    assert dates.instant("2013-02-08") == dates.instant("2013-02-08T01:00:00+01:00")
    with pytest.raises(InvalidDate):
        dates.instant("2013-02-08T25:00")
