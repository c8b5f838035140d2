"""The world: where it comes from, and how it is restated."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from finpipe.sandbox.options import SandboxOptions
from finpipe.sandbox.world import RESTATABLE, World, load_world, opening_instant

LAST = date(2013, 3, 1)


def test_own_world_is_the_real_and_the_synthetic_instruments() -> None:
    world = load_world(SandboxOptions(synthetic=2))
    assert world.symbols == ("AAPL", "FB", "GOOG", "IBM", "MSFT", "SYAA", "SYAB")
    assert (world.first_session, world.last_session, len(world.sessions)) == (date(2000, 3, 1), LAST, 3270)
    apple = world.history("AAPL")
    assert apple is not None
    assert apple.filter(pl.col("session") == date(2005, 2, 28)).select("close", "split", "dividend").row(0) == (
        44.86,
        2.0,
        0.0,
    )


def test_world_opens_when_its_last_session_is_published() -> None:
    assert opening_instant(load_world(SandboxOptions(synthetic=0))) == datetime(2013, 3, 2, 0, 30, tzinfo=UTC)


def test_users_bars_replace_the_world_and_their_actions_are_derived(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(
        "symbol,date,open,high,low,close,volume,adj close\n"
        "X,2015-01-05,10,10,10,10,100,5\nX,2015-01-06,5,5,5,5,100,5\nY,2015-01-06,5,5,5,,100,\n"
    )
    world = load_world(SandboxOptions(bars=path))
    assert world.symbols == ("X", "Y")
    assert world.history("X")["split"].to_list() == [1.0, 2.0]  # type: ignore[index]  # it is there
    assert opening_instant(world) == datetime(2015, 1, 7, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("field", RESTATABLE)
@pytest.mark.parametrize("value", [12.5, None])
def test_restate_changes_one_value(world: World, field: str, value: float | None) -> None:
    before = world.history("AAA")
    assert world.restate("AAA", LAST, field, value)
    after = world.history("AAA")
    assert before is not None
    assert after is not None
    assert after[field].to_list() == [*before[field].to_list()[:-1], value]
    assert after.drop(field).equals(before.drop(field))


@pytest.mark.parametrize(
    ("symbol", "session", "field"),
    [("ZZZ", LAST, "close"), ("AAA", date(2013, 3, 2), "close"), ("AAA", LAST, "symbol"), ("AAA", LAST, "adjusted")],
)
def test_restate_knows_what_is_not_there(world: World, symbol: str, session: date, field: str) -> None:
    assert not world.restate(symbol, session, field, 1.0)


def test_short_volumes_rest_on_what_was_traded_not_on_restated_bars(world: World) -> None:
    before = world.traded_in(LAST)
    world.restate("AAA", LAST, "volume", 1.0)
    assert world.traded_in(LAST).equals(before)
    assert before["symbol"].to_list() == ["AAA", "BBB"]
