from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finpipe.errors import MetricInputError
from finpipe.metrics import DAILY, Metric, daily_metrics

NAMES = [metric.name for metric in DAILY]
SCHEMA = {
    "instrument_id": pl.String,
    "symbol": pl.String,
    "session": pl.Date,
    "close": pl.Float64,
    **dict.fromkeys(NAMES, pl.Float64),
}
LEVELS = {"sma_20", "sma_50", "sma_200", "high_52w", "low_52w"}
BARS = {
    "instrument_id": pl.String,
    "symbol": pl.String,
    "session": pl.Date,
    **dict.fromkeys(("open", "high", "low", "close", "volume", "factor", "split_factor"), pl.Float64),
}
SHORTS = {"instrument_id": pl.String, "session": pl.Date, "short_volume": pl.Float64, "total_volume": pl.Float64}
NO_SHORTS = pl.DataFrame(schema=SHORTS)
Row = dict[str, Any]


def history(instrument: str, length: int, *, gaps: frozenset[int] = frozenset()) -> pl.DataFrame:
    """A random walk with a split or dividend every 90 rows or so; closes are null at the gaps."""
    dice = random.Random(instrument)  # noqa: S311  # a series, not a secret
    close, factor, split_factor, rows = 100.0, 1.0, 1.0, []
    for row in range(length):
        close *= math.exp(dice.gauss(0, 0.02))
        if dice.random() < 1 / 90:
            split, dividend = dice.choice([(2.0, 1.0), (0.1, 1.0), (1.5, 1.0), (1.0, 1.01)])
            factor, split_factor, close = factor * split * dividend, split_factor * split, close / split / dividend
        high, low = close * (1 + 0.02 * dice.random()), close * (1 - 0.02 * dice.random())
        prices = (close, high, low, None if row in gaps else close)
        rows.append(
            (instrument, instrument.upper(), date(2011, 1, 3) + timedelta(days=row), *prices, 1e6, factor, split_factor)
        )
    return pl.DataFrame(rows, schema=BARS, orient="row")


@pytest.fixture(scope="module")
def bars() -> pl.DataFrame:
    """Three instruments: whole, with gaps near the edges of windows, and new."""
    gaps = frozenset({0, 14, 15, 40, 261, 282, 283, 530})
    return pl.concat([history("whole", 620), history("torn", 540, gaps=gaps), history("young", 30)])


@pytest.fixture(scope="module")
def shorts(bars: pl.DataFrame) -> pl.DataFrame:
    day = pl.col("session").dt.ordinal_day()
    return bars.filter(day % 3 > 0).select(
        "instrument_id", "session", short_volume=day * 10.0, total_volume=day % 5 * 1e4
    )


def brute_force(bars: pl.DataFrame, shorts: pl.DataFrame) -> Iterator[Row]:
    ratios = {
        (row["instrument_id"], row["session"]): row["short_volume"] / row["total_volume"]
        for row in shorts.iter_rows(named=True)
        if row["total_volume"]
    }
    for instrument in sorted(set(bars["instrument_id"])):
        rows = [row for row in bars.iter_rows(named=True) if row["instrument_id"] == instrument]
        rows.sort(key=lambda row: row["session"])
        columns = by_hand(rows)
        for index, row in enumerate(rows):
            values = {name: column[index] for name, column in columns.items()}
            yield values | {"short_volume_ratio": ratios.get((instrument, row["session"]))}


def by_hand(rows: list[Row]) -> dict[str, list[float | None]]:
    close, high, low = ([row[name] and row[name] * row["factor"] for row in rows] for name in ("close", "high", "low"))
    growth = [now / before if now and before else None for before, now in zip([None, *close], close, strict=False)]
    logs = [None if value is None else math.log(value) for value in growth]
    factor = [row["factor"] for row in rows]
    highest, lowest = windowed(high, 252, max), windowed(low, 252, min)

    def own_basis(levels: list[float | None]) -> list[float | None]:
        return [level and level / k for level, k in zip(levels, factor, strict=True)]

    def distance(levels: list[float | None]) -> list[float | None]:
        return [level and price and price / level - 1 for price, level in zip(close, levels, strict=True)]

    return {
        "return_1d": [None if value is None else value - 1 for value in growth],
        "log_return_1d": logs,
        **{f"sma_{n}": own_basis(windowed(close, n, lambda part: math.fsum(part) / len(part))) for n in (20, 50, 200)},
        "rsi_14": wilder(close, 14),
        "volatility_21": windowed(logs, 21, deviation),
        "high_52w": own_basis(highest),
        "low_52w": own_basis(lowest),
        "distance_high_52w": distance(highest),
        "distance_low_52w": distance(lowest),
    }


def windowed(values: list[float | None], window: int, function: Callable[[list[float]], float]) -> list[float | None]:
    answers: list[float | None] = []
    for end in range(1, len(values) + 1):
        part = [value for value in values[max(0, end - window) : end] if value is not None]
        answers.append(function(part) if len(part) == window else None)
    return answers


def deviation(sample: list[float]) -> float:
    return math.sqrt(252 * statistics.variance(map(Fraction, sample)))


def wilder(closes: list[float | None], window: int) -> list[float | None]:
    values: list[float | None] = []
    run: list[float] = []  # the closes since the last gap
    gain = loss = 0.0
    for close in closes:
        run = [] if close is None else [*run, close]
        changes = [now - before for before, now in pairwise(run)]
        if len(changes) < window:
            values.append(None)
            continue
        if len(changes) == window:
            gain = math.fsum(max(change, 0) for change in changes) / window
            loss = math.fsum(max(-change, 0) for change in changes) / window
        else:
            gain = (gain * (window - 1) + max(changes[-1], 0)) / window
            loss = (loss * (window - 1) + max(-changes[-1], 0)) / window
        values.append(100 * gain / (gain + loss))
    return values


def test_daily_metrics_equal_brute_force(
    bars: pl.DataFrame, shorts: pl.DataFrame, assert_agree: Callable[..., None]
) -> None:
    actual, expected = daily_metrics(bars, shorts), list(brute_force(bars, shorts))
    assert set(expected[0]) == set(NAMES)
    for name in NAMES:
        # A return or distance near 0 is a difference of near equals, so its last digits are those of 1.
        assert_agree(actual[name].to_list(), [row[name] for row in expected], absolute=1e-12)


def test_there_is_one_row_per_bar_in_order(bars: pl.DataFrame, shorts: pl.DataFrame) -> None:
    metrics = daily_metrics(bars, shorts)
    assert metrics.schema == SCHEMA
    keys = ["instrument_id", "symbol", "session", "close"]
    assert metrics.select(keys).equals(bars.select(keys).sort("instrument_id", "session"))


@given(st.integers(0, 10**6))
@settings(max_examples=5)
def test_rows_in_any_order_give_the_same_frame(seed: int) -> None:
    bars = pl.concat([history("b", 300), history("a", 270)])
    shorts = bars.select("instrument_id", "session", short_volume=pl.col("volume") / 3, total_volume="volume")
    shuffled = daily_metrics(
        bars.sample(fraction=1, shuffle=True, seed=seed), shorts.sample(fraction=1, shuffle=True, seed=seed + 1)
    )
    assert shuffled.equals(daily_metrics(bars, shorts))


@pytest.mark.parametrize("cut", [1, 2, 14, 15, 16, 21, 251, 252, 253, 400, 540, 600])
def test_a_value_holds_nothing_known_later(bars: pl.DataFrame, shorts: pl.DataFrame, cut: int) -> None:
    until = pl.col("session") < date(2011, 1, 3) + timedelta(days=cut)
    whole = daily_metrics(bars, shorts)
    assert daily_metrics(bars.filter(until), shorts.filter(until)).equals(whole.filter(until))


def test_an_instrument_is_measured_alone(bars: pl.DataFrame, shorts: pl.DataFrame) -> None:
    whole = daily_metrics(bars, shorts)
    for instrument in ("whole", "torn", "young"):
        own = pl.col("instrument_id") == instrument
        assert daily_metrics(bars.filter(own), shorts).equals(whole.filter(own))


@given(st.integers(1, 299), st.sampled_from([2.0, 3.0, 7.0, 1.5, 0.1, 1 / 3]))
@settings(max_examples=10)
def test_a_split_changes_no_earlier_value_and_restates_later_levels_only(
    assert_agree: Callable[..., None], at: int, ratio: float
) -> None:
    plain = history("a", 300).with_columns(factor=1.0, split_factor=1.0)
    after = pl.int_range(pl.len()) >= at
    split = plain.with_columns(
        pl.when(after)
        .then(pl.col("open", "high", "low", "close") / ratio)
        .otherwise(pl.col("open", "high", "low", "close")),
        factor=pl.when(after).then(ratio).otherwise(1.0),
        split_factor=pl.when(after).then(ratio).otherwise(1.0),
    )
    before_it, with_it = daily_metrics(plain, NO_SHORTS), daily_metrics(split, NO_SHORTS)
    assert with_it[:at].equals(before_it[:at])
    for name in NAMES:
        scale = ratio if name in LEVELS else 1.0
        # Dividing by the ratio rounds the prices, so later values agree to their last digits only.
        restated = (with_it[name][at:] * scale).to_list()
        assert_agree(restated, before_it[name][at:].to_list(), absolute=1e-9)


def test_levels_compare_with_the_closes_of_their_own_session(real_bars: pl.DataFrame) -> None:
    # AAPL split 2 for 1 on 2005-02-28, from about 89 to about 44 dollars.
    apple = real_bars.filter(pl.col("symbol") == "AAPL")
    metrics = daily_metrics(apple, NO_SHORTS)
    january = metrics.filter(pl.col("session").is_between(date(2005, 1, 1), date(2005, 1, 31)))
    march = metrics.filter(pl.col("session").is_between(date(2005, 3, 1), date(2005, 3, 31)))
    assert january["sma_20"].is_between(60, 75).all()
    assert march["sma_20"].is_between(40, 45).all()
    assert (march["sma_20"] / march["close"] - 1).abs().max() < 0.1  # type: ignore[operator]  # not empty
    known_then = daily_metrics(apple.filter(pl.col("session") < date(2005, 2, 28)), NO_SHORTS)
    assert known_then.equals(metrics.filter(pl.col("session") < date(2005, 2, 28)))


def test_a_close_on_a_52_week_extreme_is_at_distance_zero(real_bars: pl.DataFrame) -> None:
    on_extremes = real_bars.with_columns(
        high=pl.max_horizontal("open", "close"), low=pl.min_horizontal("open", "close")
    )
    metrics = daily_metrics(on_extremes, NO_SHORTS).drop_nulls("high_52w")
    for side in ("high_52w", "low_52w"):
        # The level itself went through the factor and back, so it is off by a last digit at times.
        on_it = metrics.filter((pl.col("close") / pl.col(side) - 1).abs() < 1e-12)
        assert len(on_it) > 50
        assert on_it[f"distance_{side}"].unique().to_list() == [0.0]
    assert metrics.select(pl.col("distance_high_52w").max(), pl.col("distance_low_52w").min()).row(0) == (0.0, 0.0)


@pytest.mark.parametrize("metric", [pytest.param(metric, id=metric.name) for metric in DAILY])
def test_a_metric_keeps_its_contract(metric: Metric) -> None:
    whole = history("whole", 400)
    shorts = whole.select("instrument_id", "session", short_volume=1.0, total_volume=4.0)
    values = daily_metrics(whole, shorts)[metric.name]
    assert values.is_null().to_list() == [row < metric.warm_up for row in range(400)]
    assert all((metric.unit, metric.reference, metric.description.endswith(".")))
    if metric.window is not None:
        full, short = (daily_metrics(whole.tail(n), shorts)[metric.name] for n in (metric.window, metric.window - 1))
        assert full[-1] == pytest.approx(values[-1], rel=1e-9, abs=1e-12)
        assert short.is_empty() or short[-1] is None


def test_metric_names_are_columns_once() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_short_volume_meets_its_bar_and_no_other() -> None:
    days = [date(1969, 12, 30) + timedelta(days=n) for n in range(4)]  # on both sides of the epoch
    bars = pl.concat([history("a", 4), history("b", 4)]).with_columns(session=pl.Series(days * 2))
    shorts = pl.DataFrame(
        [
            ("b", days[0], 1.0, 4.0),
            ("a", days[3], 2.0, 4.0),
            ("a", date(1980, 1, 1), 3.0, 4.0),
            ("c", days[0], 3.0, 4.0),
        ],
        schema=SHORTS,
        orient="row",
    )
    ratios = daily_metrics(bars, shorts)["short_volume_ratio"].to_list()
    assert ratios == [None, None, None, 0.5, 0.25, None, None, None]


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_bars_give_nulls_of_the_right_type(rows: int) -> None:
    metrics = daily_metrics(history("a", rows), NO_SHORTS)
    assert metrics.schema == SCHEMA
    assert metrics.select(NAMES).rows() == [(None,) * len(NAMES)] * rows


def test_bad_frames_are_errors() -> None:
    bars = history("a", 3)
    with pytest.raises(MetricInputError, match="bars: no column factor"):
        daily_metrics(bars.drop("factor"), NO_SHORTS)
    with pytest.raises(MetricInputError, match="bars: more than one row for a on 2011-01-03"):
        daily_metrics(pl.concat([bars, bars[:1]]), NO_SHORTS)
    twice = pl.DataFrame([("a", date(2011, 1, 3), 1.0, 4.0)] * 2, schema=SHORTS, orient="row")
    with pytest.raises(MetricInputError, match="short_volume: more than one row"):
        daily_metrics(bars, twice)


def test_only_stable_functions_of_polars_are_used(bars: pl.DataFrame, shorts: pl.DataFrame) -> None:
    with pl.Config() as config:
        config.warn_unstable(active=True)  # and warnings are errors
        daily_metrics(bars, shorts)
