"""Laws of the synthetic exchange."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from finpipe.sandbox.actions import adjusted_close, derive_actions
from finpipe.sandbox.synthetic import Listing, synthetic_exchange, synthetic_symbols
from finpipe.sandbox.world import World

SESSIONS = pl.Series([date(2000, 1, 3) + timedelta(days=day) for day in range(2000)])


def exchange(count: int = 12, seed: int = 7) -> list[Listing]:
    return synthetic_exchange(count, seed=seed, sessions=SESSIONS)


def test_symbols_have_four_letters_and_are_distinct() -> None:
    symbols = synthetic_symbols(676)
    assert symbols[:2] == ["SYAA", "SYAB"]
    assert len(set(symbols)) == 676
    assert {len(symbol) for symbol in symbols} == {4}


@pytest.mark.parametrize("seed", [1, 7, 2013])
def test_bars_are_consistent_and_positive(seed: int) -> None:
    bars = pl.concat([listing.bars for listing in exchange(30, seed)])
    assert bars.null_count().sum_horizontal().item() == 0
    assert (bars["high"] >= bars.select(pl.max_horizontal("open", "close")).to_series()).all()
    assert (bars["low"] <= bars.select(pl.min_horizontal("open", "close")).to_series()).all()
    assert (bars["low"] > 0).all()
    assert (bars["volume"] > 0).all()


def test_exchange_repeats_itself_by_seed_whatever_its_size() -> None:
    small, large, other = exchange(5), exchange(12), exchange(5, seed=8)
    for listing, same, unlike in zip(small, large, other, strict=False):
        assert_frame_equal(listing.bars, same.bars)
        assert_frame_equal(listing.actions, same.actions)
        assert not listing.bars["close"].equals(unlike.bars["close"])


def test_some_start_late_and_none_stops_early() -> None:
    starts = [listing.bars["session"][0] for listing in exchange()]
    assert sum(start > SESSIONS[0] for start in starts) == 2
    assert {listing.bars["session"][-1] for listing in exchange()} == {SESSIONS[-1]}


def test_splits_and_dividends_are_visible_in_unadjusted_prices() -> None:
    """On the day of an action the close moves by what the action explains, within the day's own return."""
    for listing in exchange(24):
        moved = listing.bars.with_columns(before=pl.col("close").shift(1)).join(
            listing.actions, on=["symbol", "session"]
        )
        explained = (pl.col("before") - pl.col("amount").fill_null(0)) / pl.col("ratio").fill_null(1)
        residual = moved.select((pl.col("close") / explained).log().abs()).to_series()
        assert (residual < 6 * 0.40 / 252**0.5).all(), listing.bars["symbol"][0]


def test_there_are_splits_and_quarterly_dividends() -> None:
    actions = pl.concat([listing.actions for listing in exchange()])
    assert 3 <= (actions["kind"] == "split").sum() <= 6
    quarters = actions.filter((pl.col("symbol") == "SYAA") & (pl.col("kind") == "cash_dividend"))
    assert quarters["session"].diff().drop_nulls().unique().to_list() == [timedelta(days=63)]


@pytest.mark.parametrize("seed", [1, 7, 2013])
def test_deriving_actions_from_the_adjusted_close_gives_back_those_made(seed: int) -> None:
    for listing in exchange(9, seed):
        history = World(listing.bars, listing.actions).history(listing.bars["symbol"][0])
        assert history is not None
        adjusted = adjusted_close(pl.col("close"), pl.col("dividend"), pl.col("split"))
        derived = derive_actions(history.with_columns(adjusted_close=adjusted))
        assert_frame_equal(derived, listing.actions, check_row_order=False, abs_tol=1e-9)


def test_an_exchange_of_none_and_sessions_too_few_to_split() -> None:
    assert synthetic_exchange(0, seed=7, sessions=SESSIONS) == []
    for listing in synthetic_exchange(12, seed=7, sessions=SESSIONS.head(1)):
        assert listing.bars.height <= 1
