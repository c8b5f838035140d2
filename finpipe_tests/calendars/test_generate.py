from __future__ import annotations

from datetime import date, time

import exchange_calendars  # type: ignore[import-untyped]  # it ships no types
import pytest

from finpipe.calendars import known, load
from finpipe.calendars.generate import SPANS, generated, says_the_same
from finpipe.calendars.loading import data_file

# exchange_calendars 4.13 reads a pandas property that pandas 3.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning:DeprecationWarning")


def test_every_data_file_has_a_generator() -> None:
    assert known() == sorted(SPANS)


@pytest.mark.parametrize("name", SPANS)
def test_a_data_file_is_what_the_generator_writes(name: str) -> None:
    committed = data_file(name).read_text(encoding="utf-8")
    assert says_the_same(committed, generated(name, version=1)), "run python -m finpipe.calendars.generate"


def test_data_files_that_differ_in_a_day_do_not_say_the_same() -> None:
    committed = data_file("XNYS").read_text(encoding="utf-8")
    assert says_the_same(committed, committed.replace("version = 1", "version = 99"))
    assert not says_the_same(committed, committed.replace(" 2001-09-11,", ""))


@pytest.mark.parametrize("name", SPANS)
def test_every_session_open_and_close_is_that_of_exchange_calendars(name: str) -> None:
    ours = load(name)
    theirs = exchange_calendars.get_calendar(name, start=str(ours.first), end=str(ours.last))
    sessions = [day.date() for day in theirs.sessions]
    assert ours.sessions(ours.first, ours.last) == sessions
    assert [ours.open_at(day) for day in sessions] == theirs.opens.dt.to_pydatetime().tolist()
    assert [ours.close_at(day) for day in sessions] == theirs.closes.dt.to_pydatetime().tolist()


def test_new_york_reaches_from_1990_past_the_announced_years() -> None:
    assert SPANS["XNYS"].first == date(1990, 1, 1)
    assert SPANS["XNYS"].last >= date(2028, 12, 31)
    assert load("XNYS").closes == time(16)
