from __future__ import annotations

import json
from pathlib import Path

import pytest

from finpipe.sources.reading import CATALOGUE

FIXTURES = Path(__file__).parent.parent / "fixtures"


def test_list_shows_every_dataset_with_its_limits(run) -> None:
    listed = json.loads(run("sources", "list", "--json").out)
    assert listed["broken"] == []
    by_name = {row["dataset"]: row for row in listed["datasets"]}
    assert by_name.keys() == {"alpha_vantage/daily_adjusted", "finra_short_volume/daily"}
    assert by_name["alpha_vantage/daily_adjusted"]["limits"] == "1/1s, 5/60s, 25/day"


@pytest.mark.parametrize("path", sorted(CATALOGUE.glob("*.yaml")), ids=lambda path: path.stem)
def test_check_finds_the_shipped_files_right(run, path: Path) -> None:
    assert json.loads(run("sources", "check", path, "--json").out)["ok"] is True
    assert run("sources", "check", path).code == 0


def test_check_as_json_tells_the_fault_in_parts(run, tmp_path: Path) -> None:
    path = tmp_path / "alpha_vantage.yaml"
    path.write_text((CATALOGUE / "alpha_vantage.yaml").read_text().replace("calendar: XNYS", "calendar: XNYC"))
    ran = run("sources", "check", path, "--json")
    told = json.loads(ran.out)
    assert (ran.code, told["ok"]) == (2, False)
    assert told["error"]["field"] == "datasets.daily_adjusted.cadence.calendar"
    assert "did you mean 'XNYS'" in told["error"]["problem"]


def test_schema_is_the_one_of_a_source_file(run) -> None:
    assert json.loads(run("sources", "schema").out)["title"] == "Source"


RECORDED = {
    "alpha_vantage/daily_adjusted_IBM_2023-05-12.json": ("alpha_vantage/daily_adjusted", 1, "ok", False),
    "alpha_vantage/daily_adjusted_MSFT_2020-03.json": ("alpha_vantage/daily_adjusted", 2, "ok", False),
    "alpha_vantage/error_invalid_call.json": ("alpha_vantage/daily_adjusted", 0, "fail", False),
    "alpha_vantage/limit_information_2025.json": ("alpha_vantage/daily_adjusted", 0, "rate_limited", False),
    "alpha_vantage/limit_note_2018.json": ("alpha_vantage/daily_adjusted", 0, "rate_limited", False),
    "alpha_vantage/global_quote.json": ("alpha_vantage/daily_adjusted", 0, "unexpected", False),
    "alpha_vantage/symbol_search.json": ("alpha_vantage/daily_adjusted", 0, "unexpected", False),
    "finra_daily/CNMSshvol20260911.rows.txt": ("finra_short_volume/daily", 3, "ok", True),
    "finra_daily/FNYXshvol20190228.rows.txt": ("finra_short_volume/daily", 4, "ok", True),
    "finra_daily/FNSQ_gme_etfs.trimmed.txt": ("finra_short_volume/daily", 2999, "ok", True),
}


def test_parse_reads_every_recorded_body(run, shared_data: Path | None) -> None:
    for name, (dataset, rows, outcome, is_truncated) in RECORDED.items() if shared_data else ():
        ran = run("sources", "parse", dataset, shared_data / "recorded" / name, "--json")
        told = json.loads(ran.out)
        assert ran.code == 0
        found = (len(told["rows"]), told["outcome"], told["truncated"], told["quarantined"])
        assert (name, *found) == (name, rows, outcome, is_truncated, [])


def test_parse_tells_rows_of_every_table_and_the_symbol_asked(run, tmp_path: Path) -> None:
    day = {
        f"{n}. {word}": "1.0" for n, word in enumerate(("open", "high", "low", "close", "adjusted close", "volume"), 1)
    }
    day |= {"7. dividend amount": "0.25", "8. split coefficient": "2.0"}
    path = tmp_path / "body.json"
    path.write_text(json.dumps({"Time Series (Daily)": {"2013-02-28": day}}))
    told = json.loads(run("sources", "parse", "alpha_vantage", path, "--item", "symbol=XYZ", "--json").out)
    assert [(row["table"], row["symbol"], row["session"]) for row in told["rows"]] == [
        ("bars", "XYZ", "2013-02-28"),
        ("corporate_actions", "XYZ", "2013-02-28"),
        ("corporate_actions", "XYZ", "2013-02-28"),
    ]
    assert [row.get("amount") or row.get("ratio") for row in told["rows"][1:]] == [0.25, 2.0]
