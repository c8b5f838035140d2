"""Single bodies, as `finpipe sources parse` shows them."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from finpipe.sources.spec import Dataset
from finpipe.staging.parse import parse


def summary(dataset: Dataset, path: Path) -> tuple[int, int, str, bool]:
    shown = parse(dataset, path.read_bytes()).as_json()
    orjson.dumps(shown)
    return len(shown["rows"]), len(shown["quarantined"]), shown["outcome"], shown["truncated"]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("page.json", (4, 0, "ok", False)),
        ("empty.json", (0, 0, "empty", False)),
        ("error.json", (0, 0, "fail", False)),
        ("limit_note.json", (0, 0, "rate_limited", False)),
        ("limit_information.json", (0, 0, "rate_limited", False)),
    ],
)
def test_parse_reads_price_pages(
    prices: Dataset, fixtures: Path, file: str, expected: tuple[int, int, str, bool]
) -> None:
    assert summary(prices, fixtures / "alpha_vantage" / file) == expected


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("page.txt", (3, 0, "ok", False)),
        ("empty.txt", (0, 0, "empty", False)),
        ("error.xml", (0, 0, "unexpected", False)),
    ],
)
def test_parse_reads_short_volume_files(
    shorts: Dataset, fixtures: Path, file: str, expected: tuple[int, int, str, bool]
) -> None:
    assert summary(shorts, fixtures / "finra_short_volume" / file) == expected


# What the real providers sent, where the recordings are at hand.
RECORDED = {
    "alpha_vantage/daily_adjusted_IBM_2023-05-12.json": (1, 0, "ok", False),
    "alpha_vantage/daily_adjusted_MSFT_2020-03.json": (2, 0, "ok", False),
    "alpha_vantage/error_invalid_call.json": (0, 0, "fail", False),
    "alpha_vantage/global_quote.json": (0, 0, "unexpected", False),
    "alpha_vantage/limit_information_2025.json": (0, 0, "rate_limited", False),
    "alpha_vantage/limit_note_2018.json": (0, 0, "rate_limited", False),
    "alpha_vantage/mock_foreign_exchange.json": (0, 0, "unexpected", False),
    "alpha_vantage/mock_time_series.json": (0, 0, "unexpected", False),
    "alpha_vantage/symbol_search.json": (0, 0, "unexpected", False),
    "finra_daily/CNMSshvol20260911.rows.txt": (3, 0, "ok", True),
    "finra_daily/FNSQ_gme_etfs.trimmed.txt": (2999, 0, "ok", True),
    "finra_daily/FNYXshvol20190228.rows.txt": (4, 0, "ok", True),
}


def test_parse_reads_what_was_recorded(prices: Dataset, shorts: Dataset, recorded: Path) -> None:
    present = {name: expected for name, expected in RECORDED.items() if (recorded / name).exists()}
    found = {name: summary(prices if name.startswith("alpha") else shorts, recorded / name) for name in present}
    assert found == present


def test_parse_gives_rows_in_the_order_of_records(prices: Dataset, fixtures: Path) -> None:
    shown = parse(prices, (fixtures / "alpha_vantage" / "page.json").read_bytes()).as_json()["rows"]
    assert [(row["table"], row["session"]) for row in shown] == [
        ("bars", "2013-03-01"),
        ("bars", "2013-02-28"),
        ("bars", "2013-02-06"),
        ("corporate_actions", "2013-02-06"),
    ]
    assert list(shown[3]) == ["table", "symbol", "session", "kind", "amount", "currency", "ratio"]
    assert (shown[3]["amount"], shown[3]["ratio"]) == (0.85, None)


def test_parse_shows_what_is_bad_with_its_rules(shorts: Dataset) -> None:
    body = b"Date|Symbol|Short Volume|Total Volume\n20130301|A|3|2\n20130301|B|1|2\n2\n"
    parsed = parse(shorts, body)
    assert [(bad["record"], bad["rules"]) for bad in parsed.quarantined] == [(0, ["short_within_total"])]
    assert orjson.loads(parsed.quarantined[0]["content"])["Symbol"] == "A"
    assert [(row["symbol"], row["market"]) for row in parsed.rows] == [("B", None)]


def test_parse_takes_the_item_where_the_body_does_not_say(prices: Dataset) -> None:
    body = b'{"Time Series (Daily)": {"2013-03-01": {"1. open": "1", "2. high": "1", "3. low": "1", "4. close": "1"}}}'
    assert parse(prices, body, {"symbol": "IBM"}).rows[0]["symbol"] == "IBM"
    assert parse(prices, body).rows == []
    said = body.replace(b'{"Time', b'{"Meta Data": {"2. Symbol": "MSFT"}, "Time')
    assert parse(prices, said, {"symbol": "IBM"}).rows[0]["symbol"] == "MSFT"


def test_parse_says_why_a_body_is_no_data(prices: Dataset) -> None:
    assert "not JSON" in parse(prices, b"{").as_json()["problem"]
