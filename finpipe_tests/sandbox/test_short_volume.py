"""Laws of the short volumes."""

from __future__ import annotations

from datetime import date

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from finpipe.sandbox.short_volume import FRACTIONAL_FROM, short_volumes

symbols = st.lists(st.text("ABCDEFGHIJ/.", min_size=1, max_size=5), min_size=1, max_size=20, unique=True)
sessions = st.dates(date(2000, 1, 3), date(2020, 1, 1))
volumes = st.one_of(st.none(), st.integers(-5, 10**10))


def bars_of(names: list[str], volume: int | None) -> pl.DataFrame:
    return pl.DataFrame({"symbol": names, "volume": [volume] * len(names)}, schema_overrides={"volume": pl.Float64})


@settings(max_examples=30)
@given(names=symbols, volume=volumes, session=sessions, seed=st.integers(0, 2**32))
def test_short_and_exempt_never_pass_the_total(names: list[str], volume: int | None, session: date, seed: int) -> None:
    made = short_volumes(bars_of(names, volume), session=session, seed=seed)
    assert made["symbol"].to_list() == sorted(names)
    assert (made["short"] >= 0).all()
    assert (made["exempt"] >= 0).all()
    assert (made["short"] + made["exempt"] <= made["total"]).all()


@settings(max_examples=30)
@given(session=sessions)
def test_volumes_are_whole_shares_before_2010_and_fractional_from_then_on(session: date) -> None:
    made = short_volumes(bars_of(["AAA", "BBB", "CCC"], 1_000_000), session=session, seed=7)
    is_whole = bool((made["total"] % 1_000_000 == 0).all())
    assert is_whole == (session < FRACTIONAL_FROM)


def test_volumes_depend_on_symbol_session_and_seed_alone() -> None:
    session = date(2012, 5, 18)
    both = short_volumes(bars_of(["BBB", "AAA"], 1000), session=session, seed=7)
    alone = short_volumes(bars_of(["AAA"], 1000), session=session, seed=7)
    assert_frame_equal(both.head(1), alone)
    assert both["total"].n_unique() == 2
    for changed in (
        short_volumes(bars_of(["AAA"], 1000), session=date(2012, 5, 21), seed=7),
        short_volumes(bars_of(["AAA"], 1000), session=session, seed=8),
    ):
        assert changed["total"].to_list() != alone["total"].to_list()


def test_volumes_are_the_same_on_every_machine() -> None:
    made = short_volumes(bars_of(["AAA"], 1000), session=date(2012, 5, 18), seed=7)
    assert made.rows() == [GOLDEN]


GOLDEN = ("AAA", 208_333_665, 7_000_000, 492_114_699)
"""Written down once: whoever changes the formula changes every world that was served."""


def test_a_symbol_without_a_usable_volume_was_traded_all_the_same() -> None:
    made = short_volumes(bars_of(["AAA"], None), session=date(2012, 5, 18), seed=7)
    assert made["total"][0] > 0
