from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finpipe.calendars import load
from finpipe.errors import MetricInputError
from finpipe.metrics import Period, daily_metrics, period_bars

SCHEMA = {
    "instrument_id": pl.String,
    "symbol": pl.String,
    "period": pl.Date,
    "first_session": pl.Date,
    "last_session": pl.Date,
    "sessions": pl.UInt32,
    **dict.fromkeys(("open", "high", "low", "close", "volume", "return", "log_return"), pl.Float64),
}
BARS = {
    "instrument_id": pl.String,
    "symbol": pl.String,
    "session": pl.Date,
    **dict.fromkeys(("open", "high", "low", "close", "volume", "factor", "split_factor"), pl.Float64),
}
VALUES = [name for name, dtype in SCHEMA.items() if dtype == pl.Float64]
PERIODS: list[Period] = ["week", "month"]
Row = dict[str, Any]


def start_of(session: date, every: Period) -> date:
    return session.replace(day=1) if every == "month" else session - timedelta(days=session.weekday())


def brute_force(bars: pl.DataFrame, every: Period) -> list[Row]:
    rows = sorted(bars.iter_rows(named=True), key=lambda row: (row["instrument_id"], row["session"]))
    expected: list[Row] = []
    for (instrument, start), group in groupby(
        rows, key=lambda row: (row["instrument_id"], start_of(row["session"], every))
    ):
        before = expected[-1] if expected and expected[-1]["instrument_id"] == instrument else None
        expected.append({"instrument_id": instrument, "period": start, **one_bar(list(group), before)})
    return expected


def one_bar(sessions: list[Row], before: Row | None) -> Row:
    first, last = sessions[0], sessions[-1]

    def in_basis(name: str) -> list[float | None]:
        return [row[name] and row[name] * row["factor"] / last["factor"] for row in sessions]

    volumes = [row["volume"] and row["volume"] * last["split_factor"] / row["split_factor"] for row in sessions]
    now = last["close"] and last["close"] * last["factor"]
    growth = now / before["_price"] if before and before["_price"] and now else None
    return {
        "symbol": last["symbol"],
        "first_session": first["session"],
        "last_session": last["session"],
        "sessions": len(sessions),
        "open": in_basis("open")[0],
        "high": if_whole(max, in_basis("high")),
        "low": if_whole(min, in_basis("low")),
        "close": last["close"],
        "volume": if_whole(math.fsum, volumes),
        "return": None if growth is None else growth - 1,
        "log_return": None if growth is None else math.log(growth),
        "_price": now,
    }


def if_whole(function: Callable[[Iterable[float]], float], values: list[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return function(present) if len(present) == len(values) else None


def assert_same(actual: pl.DataFrame, expected: list[Row], assert_agree: Callable[..., None]) -> None:
    assert actual.schema == SCHEMA
    for column in actual.columns:
        values = [row[column] for row in expected]
        if column in VALUES:
            # A return near 0 is a difference of near equals, so its last digits are those of 1.
            assert_agree(actual[column].to_list(), values, absolute=1e-12)
        else:
            assert actual[column].to_list() == values


@pytest.mark.parametrize("every", PERIODS)
def test_every_period_of_real_bars_equals_brute_force(
    real_bars: pl.DataFrame, every: Period, assert_agree: Callable[..., None]
) -> None:
    actual = period_bars(real_bars, every=every)
    assert_same(actual, brute_force(real_bars, every), assert_agree)
    assert actual["sessions"].sum() == len(real_bars) == 12_154


@pytest.mark.parametrize("every", PERIODS)
def test_periods_that_begin_on_a_closed_day_hold_exactly_their_sessions(real_bars: pl.DataFrame, every: Period) -> None:
    calendar = load("XNYS")
    bars = period_bars(real_bars.filter(pl.col("symbol") == "IBM"), every=every)
    begun_closed = bars.filter(~pl.col("period").map_elements(calendar.is_session, return_dtype=pl.Boolean))
    length = "1w" if every == "week" else "1mo"
    assert len(begun_closed) > 50
    # The first and the last period are cut by the data.
    for row in begun_closed[1:-1].with_columns(end=pl.col("period").dt.offset_by(length)).iter_rows(named=True):
        sessions = calendar.sessions(row["period"], row["end"] - timedelta(days=1))
        assert (row["first_session"], row["last_session"], row["sessions"]) == (
            sessions[0],
            sessions[-1],
            len(sessions),
        )


def test_a_split_within_a_week_leaves_one_basis(real_bars: pl.DataFrame) -> None:
    # AAPL split 2 for 1 on Wednesday 2000-06-21.
    week = pl.col("session").is_between(date(2000, 6, 19), date(2000, 6, 23))
    sessions = real_bars.filter(pl.col("symbol") == "AAPL", week).sort("session")
    bar = period_bars(sessions, every="week")
    assert bar["open"].item() == sessions["open"][0] / 2
    assert bar["close"].item() == sessions["close"][-1]
    volumes = sessions["volume"].to_list()
    assert bar["volume"].item() == sum(volumes[:2]) * 2 + sum(volumes[2:])


def test_a_later_split_changes_no_earlier_bar(real_bars: pl.DataFrame) -> None:
    apple = real_bars.filter(pl.col("symbol") == "AAPL")
    for every in PERIODS:
        known = period_bars(apple.filter(pl.col("session") < date(2005, 2, 1)), every=every)
        later = period_bars(apple, every=every)
        # The week of 31 January goes on in February.
        assert later[: len(known) - 1].equals(known[:-1])


def test_in_an_unchanged_basis_a_bar_holds_the_prices_as_traded(real_bars: pl.DataFrame) -> None:
    ibm = real_bars.filter(pl.col("symbol") == "IBM").with_columns(month=pl.col("session").dt.truncate("1mo"))
    plain = ibm.group_by("month").agg(
        pl.col("factor").n_unique(), pl.col("high").max(), pl.col("low").min(), pl.col("volume").sum()
    )
    plain = plain.filter(pl.col("factor") == 1).sort("month").drop("factor")
    bars = period_bars(ibm, every="month").select("high", "low", "volume", month="period")
    assert bars.join(plain, on=["month", "high", "low", "volume"]).height == plain.height > 50


def test_the_return_of_a_month_compounds_those_of_its_sessions(
    real_bars: pl.DataFrame, assert_agree: Callable[..., None]
) -> None:
    no_shorts = pl.DataFrame(
        schema={"instrument_id": pl.String, "session": pl.Date, "short_volume": pl.Float64, "total_volume": pl.Float64}
    )
    daily = daily_metrics(real_bars, no_shorts).with_columns(period=pl.col("session").dt.truncate("1mo"))
    compounded = daily.group_by("instrument_id", "period").agg(pl.col("log_return_1d").sum())
    joined = period_bars(real_bars, every="month").drop_nulls().join(compounded, on=["instrument_id", "period"])
    assert len(joined) > 500
    assert_agree(joined["log_return"].to_list(), joined["log_return_1d"].to_list(), absolute=1e-12)


PRICE = st.floats(0.01, 1e6)


@st.composite
def histories(draw: st.DrawFn) -> pl.DataFrame:
    """Up to two instruments with gaps, nulls, splits and dividends, in any order."""
    rows = []
    for instrument in ("a", "b"):
        factor = split_factor = 1.0
        for day in sorted(draw(st.sets(st.integers(0, 70), max_size=12))):
            split, dividend = draw(st.sampled_from([1.0, 1.0, 2.0, 0.1])), draw(st.sampled_from([1.0, 1.0, 1.01]))
            factor, split_factor = factor * split * dividend, split_factor * split
            prices = sorted(draw(st.lists(PRICE, min_size=4, max_size=4)))
            low, open_, close, high = (draw(st.sampled_from([price, price, price, None])) for price in prices)
            volume = draw(st.none() | st.integers(0, 10**9).map(float))
            session = date(2012, 12, 20) + timedelta(days=day)
            rows.append((instrument, "S", session, open_, high, low, close, volume, factor, split_factor))
    frame = pl.DataFrame(rows, schema=BARS, orient="row")
    return frame.sample(fraction=1, shuffle=True, seed=draw(st.integers(0, 99)))


@given(histories(), st.sampled_from(PERIODS))
@settings(max_examples=40)
def test_periods_of_any_history_equal_brute_force(
    assert_agree: Callable[..., None], bars: pl.DataFrame, every: Period
) -> None:
    assert_same(period_bars(bars, every=every), brute_force(bars, every), assert_agree)


def test_rows_in_any_order_give_the_same_bars(real_bars: pl.DataFrame) -> None:
    shuffled = real_bars.sample(fraction=1, shuffle=True, seed=3)
    assert period_bars(shuffled, every="week").equals(period_bars(real_bars, every="week"))


def test_a_symbol_change_within_a_month_keeps_the_later_symbol(real_bars: pl.DataFrame) -> None:
    february = real_bars.filter(
        pl.col("symbol") == "FB", pl.col("session").is_between(date(2013, 2, 1), date(2013, 2, 28))
    )
    renamed = february.with_columns(
        symbol=pl.when(pl.col("session") > date(2013, 2, 14)).then(pl.lit("META")).otherwise("symbol")
    )
    assert period_bars(renamed, every="month")["symbol"].to_list() == ["META"]


@pytest.mark.parametrize("every", PERIODS)
def test_no_bars_give_no_periods(real_bars: pl.DataFrame, every: Period) -> None:
    assert period_bars(real_bars.clear(), every=every).schema == SCHEMA


def test_two_rows_of_a_session_are_an_error(real_bars: pl.DataFrame) -> None:
    with pytest.raises(MetricInputError, match="more than one row"):
        period_bars(pl.concat([real_bars, real_bars[:1]]), every="week")
