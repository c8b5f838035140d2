"""Alpha Vantage's bodies: against literal ones, against recorded shapes, and against the bars they state."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finpipe.sandbox.actions import ACTIONS_SCHEMA
from finpipe.sandbox.alpha_vantage import answer, daily_adjusted
from finpipe.sandbox.limits import Verdict
from finpipe.sandbox.options import SandboxOptions
from finpipe.sandbox.trading_day import TradingDay, trading_day
from finpipe.sandbox.world import World, load_world, opening_instant

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
RECORDED = sorted((SHARED / "recorded" / "alpha_vantage").glob("*.json"))
FRIDAY = date(2013, 3, 1)
EVENING = TradingDay(FRIDAY, FRIDAY, None)
ADMITTED = Verdict(1, window_exceeded=False, quota_exceeded=False, retry_after_seconds=0.0)
TOO_FAST = Verdict(6, window_exceeded=True, quota_exceeded=False, retry_after_seconds=1.0)
SPENT = Verdict(6, window_exceeded=True, quota_exceeded=True, retry_after_seconds=1.0)
ASKED = {"function": "TIME_SERIES_DAILY_ADJUSTED", "symbol": "AAA", "apikey": "secret-key", "outputsize": "full"}


def body_of(world: World, symbol: str = "AAA", size: str = "full", day: TradingDay = EVENING) -> dict[str, Any]:
    content = daily_adjusted(world, symbol, size, day)
    assert content is not None
    return dict(json.loads(content))


def series_of(world: World, symbol: str = "AAA", size: str = "full", day: TradingDay = EVENING) -> dict[str, Any]:
    return dict(body_of(world, symbol, size, day)["Time Series (Daily)"])


def test_body_is_the_providers(world: World) -> None:
    assert body_of(world) == {
        "Meta Data": {
            "1. Information": "Daily Time Series with Splits and Dividend Events",
            "2. Symbol": "AAA",
            "3. Last Refreshed": "2013-03-01",
            "4. Output Size": "Full size",
            "5. Time Zone": "US/Eastern",
        },
        "Time Series (Daily)": {
            "2013-03-01": {
                "1. open": "50.0000",
                "2. high": "51.2500",
                "3. low": "49.0000",
                "4. close": "50.5000",
                "5. adjusted close": "50.5000",
                "6. volume": "2400",
                "7. dividend amount": "0.0000",
                "8. split coefficient": "2.0",
            },
            "2013-02-28": {
                "1. open": "100.0000",
                "2. high": "102.5000",
                "3. low": "99.0000",
                "4. close": "100.0000",
                "5. adjusted close": "50.0000",
                "6. volume": "1200",
                "7. dividend amount": "0.2500",
                "8. split coefficient": "1.0",
            },
            "2013-02-27": {
                "1. open": "99.0000",
                "2. high": "101.0000",
                "3. low": "98.0000",
                "4. close": "100.0000",
                "5. adjusted close": "49.875311720698",
                "6. volume": "1000",
                "7. dividend amount": "0.0000",
                "8. split coefficient": "1.0",
            },
        },
    }


def test_rows_are_newest_first(world: World) -> None:
    assert list(series_of(world)) == ["2013-03-01", "2013-02-28", "2013-02-27"]


def test_a_null_is_null_and_more_decimals_are_kept(world: World) -> None:
    rows = series_of(world, "BBB")
    assert rows["2013-02-28"]["1. open"] is None
    assert (rows["2013-03-01"]["1. open"], rows["2013-03-01"]["2. high"]) == ("0.12345", "0.2000")


prices = st.lists(st.floats(1e-9, 1e12) | st.integers(1, 10**9).map(lambda cents: cents / 100), min_size=1, max_size=50)


@settings(max_examples=25)
@given(closes=prices, volume=st.integers(0, 2**53))
def test_numbers_are_served_without_loss(closes: list[float], volume: int) -> None:
    sessions = [FRIDAY - timedelta(days=day) for day in reversed(range(len(closes)))]
    bar = {"symbol": "A", "session": sessions, "open": closes, "high": closes, "low": closes, "close": closes}
    world = World(pl.DataFrame({**bar, "volume": volume}), pl.DataFrame(schema=ACTIONS_SCHEMA))
    rows = list(series_of(world, "A").values())
    assert [float(row["4. close"]) for row in reversed(rows)] == closes
    assert {int(row["6. volume"]) for row in rows} == {volume}
    decimals = [row["1. open"].partition(".")[2] for row in rows if "e" not in row["1. open"]]
    assert all(len(digits) >= 4 for digits in decimals)


def test_adjusted_close_stands_in_the_basis_of_the_last_row_shown(world: World) -> None:
    before_the_split = TradingDay(FRIDAY, date(2013, 2, 28), None)
    rows = series_of(world, day=before_the_split)
    assert rows["2013-02-28"]["5. adjusted close"] == "100.0000"


def test_compact_is_the_last_100_rows_of_full() -> None:
    world = load_world(SandboxOptions(synthetic=0))
    full, compact = series_of(world, "IBM"), body_of(world, "IBM", "compact")
    assert compact["Meta Data"]["4. Output Size"] == "Compact"
    assert list(compact["Time Series (Daily)"].items()) == list(full.items())[:100]
    assert len(full) == 3270


def test_running_session_is_absent_then_not_final_then_final(world: World) -> None:
    shown = {
        hour: series_of(world, day=trading_day(datetime(2013, 3, 1, hour, tzinfo=UTC))).get("2013-03-01")
        for hour in (13, 16, 22, 23)
    }
    final = shown[23]
    assert shown[13] is None
    assert final is not None
    for running in (shown[16], shown[22]):
        assert running is not None
        assert running["1. open"] == final["1. open"]
        assert all(running[name] != final[name] for name in ("4. close", "5. adjusted close", "6. volume"))
        assert float(running["3. low"]) <= float(running["4. close"]) <= float(running["2. high"])


def test_nothing_is_shown_before_the_first_session(world: World) -> None:
    assert daily_adjusted(world, "AAA", "full", TradingDay(date(2013, 2, 1), date(2013, 2, 1), None)) is None


@pytest.mark.parametrize(
    ("changed", "verdict", "key", "said"),
    [
        pytest.param({"symbol": "NOPE"}, ADMITTED, "Error Message", "Invalid API call", id="unknown symbol"),
        pytest.param({"symbol": "aaa"}, ADMITTED, "Error Message", "Invalid API call", id="a symbol is spelt one way"),
        pytest.param({"symbol": '"}{'}, ADMITTED, "Error Message", "Invalid API call", id="symbol with JSON in it"),
        pytest.param({"outputsize": "all"}, ADMITTED, "Error Message", "Invalid API call", id="unknown size"),
        pytest.param({"datatype": "csv"}, ADMITTED, "Error Message", "Invalid API call", id="no CSV here"),
        pytest.param({"function": 'F"}'}, ADMITTED, "Error Message", 'This API function (F"})', id="unknown function"),
        pytest.param({"apikey": ""}, ADMITTED, "Error Message", "apikey is invalid or missing", id="no key"),
        pytest.param({}, TOO_FAST, "Information", "spreading out your free API requests", id="too fast"),
        pytest.param({}, SPENT, "Information", "rate limit is 25 requests per day", id="quota spent"),
    ],
)
def test_notices(world: World, changed: dict[str, str], verdict: Verdict, key: str, said: str) -> None:
    body = json.loads(answer(ASKED | changed, world, EVENING, verdict))
    assert list(body) == [key]
    assert said in body[key]


def test_quota_notice_shows_the_key(world: World) -> None:
    assert b"API key as secret-key and" in answer(ASKED, world, EVENING, SPENT)


def test_no_other_body_shows_the_key(world: World) -> None:
    for verdict in (ADMITTED, TOO_FAST):
        assert b"secret-key" not in answer(ASKED, world, EVENING, verdict)


def test_compact_is_the_default_size(world: World) -> None:
    asked = {name: value for name, value in ASKED.items() if name != "outputsize"}
    assert b'"Compact"' in answer(asked, world, EVENING, ADMITTED)


def recorded_series() -> Iterator[Any]:
    for path in RECORDED:
        body = json.loads(path.read_text())
        if "Time Series (Daily)" in body:
            yield pytest.param(body, id=path.name)


OWN_SHAPE = {
    "Meta Data": {
        f"{n}. {name}": ""
        for n, name in enumerate(["Information", "Symbol", "Last Refreshed", "Output Size", "Time Zone"], 1)
    },
    "Time Series (Daily)": {
        "2023-05-12": {
            "1. open": "121.41",
            "2. high": "122.86",
            "3. low": "121.11",
            "4. close": "122.84",
            "5. adjusted close": "122.84",
            "6. volume": "4564825",
            "7. dividend amount": "0.0000",
            "8. split coefficient": "1.0",
        }
    },
}


@pytest.mark.parametrize("recorded", [pytest.param(OWN_SHAPE, id="own"), *recorded_series()])
def test_shape_is_that_of_a_recorded_body(recorded: dict[str, Any], world: World) -> None:
    served = body_of(world)
    assert list(served) == list(recorded)
    assert list(served["Meta Data"]) == list(recorded["Meta Data"])
    (theirs, *_), (ours, *_) = (list(body["Time Series (Daily)"].values()) for body in (recorded, served))
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        assert re.fullmatch(r"\d+" if "volume" in name else r"\d+\.\d+", value), name
        assert type(value) is type(theirs[name])


OWN_NOTICES = {
    "error_invalid_call.json": {
        "Error Message": "Invalid API call. Please retry or visit the documentation "
        "(https://www.alphavantage.co/documentation/) for TIME_SERIES_DAILY_ADJUSTED."
    },
    "limit_information_2025.json": {
        "Information": "Thank you for using Alpha Vantage! Please consider spreading out your free API requests more "
        "sparingly. You may subscribe to any of the premium plans at https://www.alphavantage.co/premium/ to lift the "
        "free key rate limit (25 requests per day) and instantly unlock all premium endpoints"
    },
}


@pytest.mark.parametrize(
    ("name", "changed", "verdict"),
    [("error_invalid_call.json", {"symbol": "NOPE"}, ADMITTED), ("limit_information_2025.json", {}, TOO_FAST)],
)
def test_notice_is_the_recorded_one(world: World, name: str, changed: dict[str, str], verdict: Verdict) -> None:
    served = json.loads(answer(ASKED | changed, world, EVENING, verdict))
    assert served == OWN_NOTICES[name]
    for path in RECORDED:
        if path.name == name:
            assert served == json.loads(path.read_text())


PRICES = SHARED / "prices" / "sp500_daily_2013_2018.parquet"
USER_FILES = [PRICES] if PRICES.exists() else []


@pytest.fixture(params=[*USER_FILES, None], ids=lambda path: path.name if path else "own")
def bars_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param is not None:
        return Path(request.param)
    path = tmp_path / "bars.csv"
    path.write_text(
        "Name,date,open,high,low,close,volume\nA,2018-02-06,1,2,0.5,1.5,10\nA,2018-02-07,,,,1.5,10\nB,2018-02-07,5,4,6,5,0\n"
    )
    return path


def test_every_record_of_a_users_file_is_served(bars_file: Path) -> None:
    world = load_world(SandboxOptions(bars=bars_file))
    day = trading_day(opening_instant(world))
    stated = pl.scan_csv(bars_file) if bars_file.suffix == ".csv" else pl.scan_parquet(bars_file)
    records, nulls = stated.select(pl.len(), pl.col("open").null_count()).collect().row(0)
    bodies = [daily_adjusted(world, symbol, "full", day) or b"" for symbol in world.symbols]
    assert sum(body.count(b'"1. open"') for body in bodies) == records
    assert sum(body.count(b'"1. open":null') for body in bodies) == nulls
