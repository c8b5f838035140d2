"""FINRA's files: their lines, their trailer, and when they are there."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from finpipe.sandbox.finra import HEADER, find_file
from finpipe.sandbox.trading_day import TradingDay, trading_day
from finpipe.sandbox.world import World

FRIDAY = date(2013, 3, 1)
EVENING = TradingDay(FRIDAY, FRIDAY, None)
NAME = "CNMSshvol20130301.txt"
OWN_LINE = "20260911|NVDA|13390506.971560|99044|35300143.518841|B,Q,N"
RECORDED = Path(__file__).parents[2].parent / "shared/data/recorded/finra_daily/CNMSshvol20260911.rows.txt"


def content_of(world: World, name: str = NAME, seed: int = 7) -> bytes:
    file = find_file(name, world, EVENING, seed=seed)
    assert file is not None
    return file.content


def test_file_has_a_header_a_line_for_each_symbol_and_their_number(world: World) -> None:
    lines = content_of(world).split(b"\r\n")
    assert lines[0].decode() == HEADER
    assert [line.split(b"|")[1] for line in lines[1:3]] == [b"AAA", b"BBB"]
    assert lines[3:] == [b"2", b""]


def test_file_counts_only_the_symbols_of_its_session(world: World) -> None:
    assert content_of(world, "CNMSshvol20130227.txt").split(b"\r\n")[2:] == [b"1", b""]


def test_line_is_as_recorded(world: World) -> None:
    recorded = RECORDED.read_text().splitlines()[1:] if RECORDED.exists() else []
    shape = re.compile(r"\d{8}\|[^|]+\|\d+(\.\d{6})?\|\d+(\.\d{6})?\|\d+(\.\d{6})?\|[A-Z](,[A-Z])*")
    served = content_of(world).decode().split("\r\n")[1:3]
    for line in (OWN_LINE, *recorded, *served):
        assert shape.fullmatch(line), line


def test_volumes_have_six_decimals_in_2013(world: World) -> None:
    _, _, short, _, total, _ = content_of(world).decode().split("\r\n")[1].split("|")
    assert len(short.partition(".")[2]) == len(total.partition(".")[2]) == 6
    assert float(short) <= float(total)


def test_file_appears_at_six_in_the_evening(world: World) -> None:
    for minute, is_there in ((59, False), (60, True)):
        now = datetime(2013, 3, 1, 22 + minute // 60, minute % 60, tzinfo=UTC)
        assert (find_file(NAME, world, trading_day(now), seed=7) is not None) == is_there


@pytest.mark.parametrize(
    "name",
    [
        "CNMSshvol20130302.txt",  # a Saturday
        "CNMSshvol20130304.txt",  # not yet
        "CNMSshvol20130230.txt",
        "CNMSshvol2013031.txt",
        "CNMSshvol20130301.txt.gz",
        "FNSQshvol20130301.txt",
        "..",
        "CNMSshvol２０１３０３０１.txt",  # noqa: RUF001  # digits, but not those of a file name
    ],
)
def test_there_is_no_file(world: World, name: str) -> None:
    assert find_file(name, world, EVENING, seed=7) is None


def test_headers_state_version_and_time_of_publication(world: World) -> None:
    file = find_file(NAME, world, EVENING, seed=7)
    other = find_file("CNMSshvol20130228.txt", world, EVENING, seed=7)
    assert file is not None
    assert other is not None
    assert parsedate_to_datetime(file.headers["Last-Modified"]) == datetime(2013, 3, 1, 23, tzinfo=UTC)
    assert re.fullmatch('"[0-9a-f]{32}"', file.headers["ETag"])
    assert file.headers["ETag"] != other.headers["ETag"]


def test_content_depends_on_the_seed(world: World) -> None:
    assert content_of(world) == content_of(world)
    assert content_of(world) != content_of(world, seed=8)
