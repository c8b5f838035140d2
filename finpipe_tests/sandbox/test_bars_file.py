"""The user's bars: what is found by name, what is kept as it is, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from finpipe.errors import SandboxError
from finpipe.sandbox.bars_file import read_bars

HEADER = "symbol,date,open,high,low,close,volume"
GOOD = "IBM,2013-03-01,1,2,0.5,1.5,100"


@pytest.fixture
def write_csv(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: str) -> Path:
        path = tmp_path / "bars.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def test_read_bars_finds_columns_by_their_common_names_in_any_case(write_csv: Callable[..., Path]) -> None:
    path = write_csv(
        "Ticker,TIMESTAMP,Open,HIGH,low,Close, Volume ,Adj Close,Turnover", "A,20130301,1,2,0.5,1.5,9,0.75,x"
    )
    bars = read_bars(path)
    assert bars.rows() == [("A", date(2013, 3, 1), 1.0, 2.0, 0.5, 1.5, 9.0, 0.75)]
    assert bars.columns[-1] == "adjusted_close"


@pytest.mark.parametrize("name", ["adjusted close", "Adj Close", "adj_close", "AdjClose", "adjusted_close"])
def test_read_bars_knows_the_adjusted_close_as(name: str, write_csv: Callable[..., Path]) -> None:
    assert "adjusted_close" in read_bars(write_csv(f"{HEADER},{name}", f"{GOOD},1.4")).columns


def test_read_bars_keeps_nulls_and_impossible_values(write_csv: Callable[..., Path]) -> None:
    path = write_csv(HEADER, "A,2013-03-01,,1,5,-3,0", "A,2013-02-28,nan,N/A,NULL,2,1.5")
    assert read_bars(path).rows() == [
        ("A", date(2013, 2, 28), None, None, None, 2.0, 1.5),
        ("A", date(2013, 3, 1), None, 1.0, 5.0, -3.0, 0.0),
    ]


def test_read_bars_keeps_a_symbol_that_looks_like_a_null_or_a_number(write_csv: Callable[..., Path]) -> None:
    rows = [f"{symbol},2013-03-01,1,2,0.5,1.5,100" for symbol in ("NA", "007", "TRUE", "BRK/B")]
    assert read_bars(write_csv(HEADER, *rows))["symbol"].to_list() == ["007", "BRK/B", "NA", "TRUE"]


@pytest.mark.parametrize(
    "sessions",
    [
        pl.Series([date(2013, 3, 1)]),
        pl.Series([datetime(2013, 3, 1, 16, tzinfo=UTC)]),
        pl.Series(["2013-03-01T00:00:00Z"]),
        pl.Series(["2013-03-01 00:00:00"]),
        pl.Series([20130301]),
    ],
    ids=lambda series: str(series.dtype),
)
def test_read_bars_takes_dates_in_parquet_as(sessions: pl.Series, tmp_path: Path) -> None:
    path = tmp_path / "bars.pq"
    columns = {
        "name": ["IBM"],
        "date": sessions,
        "open": [1],
        "high": [2.5],
        "low": ["0.5"],
        "close": [1.5],
        "volume": [7],
    }
    pl.DataFrame(columns).write_parquet(path)
    assert read_bars(path).rows() == [("IBM", date(2013, 3, 1), 1.0, 2.5, 0.5, 1.5, 7.0)]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        pytest.param([], "it is empty", id="empty file"),
        pytest.param([HEADER], "it has no rows", id="header alone"),
        pytest.param(
            ["symbol,date,open,close", "A,2013-03-01,1,1"], "no column high; low; volume", id="missing columns"
        ),
        pytest.param([HEADER.replace(",", ";"), GOOD.replace(",", ";")], "no column", id="another separator"),
        pytest.param(
            [HEADER, GOOD, "IBM,2013-03-02,1,2,0.5,abc,100"], "row 2 has 'abc' for a number in column close", id="text"
        ),
        pytest.param(
            [HEADER, "IBM,01/03/2013,1,2,0.5,1,100"], "row 1 has '01/03/2013' for a date", id="ambiguous date"
        ),
        pytest.param([HEADER, "IBM,2013-02-30,1,2,0.5,1,100"], "for a date", id="impossible date"),
        pytest.param([HEADER, ",2013-03-01,1,2,0.5,1,100"], "row 1 has None for a symbol", id="no symbol"),
        pytest.param([HEADER, "A|B,2013-03-01,1,2,0.5,1,100"], "for a symbol", id="a symbol that breaks pipe text"),
        pytest.param([HEADER, GOOD, GOOD], "IBM has 2013-03-01 more than once", id="two bars a session"),
        pytest.param([HEADER, GOOD + ",1,2,3"], "cannot serve", id="ragged line"),
    ],
)
def test_read_bars_says_what_is_wrong_and_where(lines: list[str], said: str, tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(SandboxError) as raised:
        read_bars(path)
    message = str(raised.value)
    assert said in message
    assert str(path) in message
    assert "\n" not in message


@pytest.mark.parametrize("content", [b"PAR1 is not all of it", b"\x00\xff\xfe\x80" * 20, b"\x89PNG\r\n\x1a\n"])
def test_read_bars_refuses_other_bytes(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bars"
    path.write_bytes(content)
    with pytest.raises(SandboxError, match="cannot serve the bars"):
        read_bars(path)


def test_read_bars_refuses_what_is_no_file(tmp_path: Path) -> None:
    for path, said in ((tmp_path, "Is a directory"), (tmp_path / "absent.csv", "No such file or directory")):
        with pytest.raises(SandboxError, match=f"cannot serve the bars of {path}: {said};"):
            read_bars(path)
