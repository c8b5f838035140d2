from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from finpipe.calendars import known, load
from finpipe.errors import CalendarError, UnknownName


def test_known_calendars_load_under_their_names() -> None:
    assert known() == ["24/7", "XNYS"]
    assert [load(name).name for name in known()] == known()


def test_loading_twice_gives_the_same_calendar() -> None:
    assert load("XNYS") is load("XNYS")


def test_an_unknown_name_offers_near_ones() -> None:
    with pytest.raises(UnknownName, match=r"unknown calendar 'XNYE'; did you mean 'XNYS'\? Known: 24/7, XNYS"):
        load("XNYE")


def test_a_path_is_no_name() -> None:
    with pytest.raises(UnknownName):
        load("24-7")


def test_a_missing_override_file_changes_nothing(tmp_path: Path) -> None:
    assert load("XNYS", tmp_path / "overrides.yaml") is load("XNYS")


def test_overrides_are_read_again_when_the_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "overrides.yaml"
    file.write_text("XNYS: {closed: [2013-03-01]}")
    first = load("XNYS", file)
    assert not first.is_session(date(2013, 3, 1))
    assert load("XNYS", file) is first
    file.write_text("XNYS: {closed: [2013-02-28]}")
    assert load("XNYS", file).is_session(date(2013, 3, 1))


def test_overrides_of_one_venue_leave_the_others_alone(tmp_path: Path) -> None:
    file = tmp_path / "overrides.yaml"
    file.write_text("XNYS: {closed: [2013-03-01]}")
    assert load("24/7", file) is load("24/7")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"], ids=["directory", "not text"])
def test_an_unreadable_override_file_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "overrides.yaml"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    with pytest.raises(CalendarError, match=r"overrides\.yaml: cannot be read as text"):
        load("XNYS", file)


def test_loading_needs_no_heavy_library() -> None:
    heavy = ["pandas", "numpy", "exchange_calendars", "pydantic", "polars", "yaml"]
    program = (
        "import sys; from finpipe.calendars import load; load('XNYS'); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert answer.stdout.strip() == "[]"
