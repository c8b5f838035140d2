"""The daily metrics: one row per bar."""

from __future__ import annotations

import polars as pl

from finpipe.metrics.basis import adjusted_price, own_basis
from finpipe.metrics.contract import Metric
from finpipe.metrics.extremes import distance, highest_high, lowest_low
from finpipe.metrics.inputs import BAR_COLUMNS, KEY, in_order
from finpipe.metrics.momentum import relative_strength_index
from finpipe.metrics.returns import log_return, simple_return
from finpipe.metrics.trend import simple_moving_average
from finpipe.metrics.volatility import realised_volatility
from finpipe.metrics.volume import short_volume_ratio

_SESSIONS_IN_52_WEEKS = 252
_SHORT_VOLUME_COLUMNS = (*KEY, "short_volume", "total_volume")

# Columns that `_prepared` adds. Grouping goes by integers: over() on text costs 2 to 4 times as much.
_INSTRUMENT, _RUN = pl.col("_instrument"), pl.col("_run")
_CLOSE, _HIGH, _LOW = pl.col("_close"), pl.col("_high"), pl.col("_low")
_FACTOR = pl.col("factor")

_HIGHEST = highest_high(_HIGH, window=_SESSIONS_IN_52_WEEKS).over(_INSTRUMENT)
_LOWEST = lowest_low(_LOW, window=_SESSIONS_IN_52_WEEKS).over(_INSTRUMENT)


def _sma(window: int) -> Metric:
    return Metric(
        f"sma_{window}",
        unit="quote currency",
        window=window,
        warm_up=window - 1,
        description=f"Mean close of {window} sessions, in the basis of its own session.",
        reference="ChartSchool, Moving Averages - Simple and Exponential",
        expression=own_basis(simple_moving_average(_CLOSE, window=window).over(_INSTRUMENT), _FACTOR),
    )


DAILY = (
    Metric(
        "return_1d",
        unit="fraction",
        window=2,
        warm_up=1,
        description="Return over the session before, splits and dividends included.",
        reference="Campbell, Lo & MacKinlay (1997), section 1.4",
        expression=simple_return(_CLOSE).over(_INSTRUMENT),
    ),
    Metric(
        "log_return_1d",
        unit="natural logarithm",
        window=2,
        warm_up=1,
        description="Log return over the session before, splits and dividends included.",
        reference="Campbell, Lo & MacKinlay (1997), section 1.4",
        expression=log_return(_CLOSE).over(_INSTRUMENT),
    ),
    *(_sma(window) for window in (20, 50, 200)),
    Metric(
        "rsi_14",
        unit="0 to 100",
        window=None,
        warm_up=14,
        description="Relative Strength Index of 14 sessions, Wilder's smoothing.",
        reference="Wilder, New Concepts in Technical Trading Systems (1978), section VI",
        expression=relative_strength_index(_CLOSE, window=14).over(_RUN),
    ),
    Metric(
        "volatility_21",
        unit="fraction per year",
        window=22,
        warm_up=21,
        description="Sample deviation of 21 daily log returns, times the square root of 252.",
        reference="Hull, Options, Futures, and Other Derivatives (2018), section 15.4",
        expression=realised_volatility(_CLOSE, window=21).over(_INSTRUMENT),
    ),
    Metric(
        "high_52w",
        unit="quote currency",
        window=252,
        warm_up=251,
        description="Highest price of 252 sessions, in the basis of its own session.",
        reference="George & Hwang, Journal of Finance 59 (2004)",
        expression=own_basis(_HIGHEST, _FACTOR),
    ),
    Metric(
        "low_52w",
        unit="quote currency",
        window=252,
        warm_up=251,
        description="Lowest price of 252 sessions, in the basis of its own session.",
        reference="George & Hwang, Journal of Finance 59 (2004)",
        expression=own_basis(_LOWEST, _FACTOR),
    ),
    Metric(
        "distance_high_52w",
        unit="fraction",
        window=252,
        warm_up=251,
        description="Close over the 52-week high, less 1; exactly 0 at a close on the high.",
        reference="George & Hwang, Journal of Finance 59 (2004)",
        expression=distance(_CLOSE, _HIGHEST),
    ),
    Metric(
        "distance_low_52w",
        unit="fraction",
        window=252,
        warm_up=251,
        description="Close over the 52-week low, less 1; exactly 0 at a close on the low.",
        reference="George & Hwang, Journal of Finance 59 (2004)",
        expression=distance(_CLOSE, _LOWEST),
    ),
    Metric(
        "short_volume_ratio",
        unit="fraction",
        window=1,
        warm_up=0,
        description="Short volume over total volume, as reported to FINRA's facilities.",
        reference="FINRA, Information Notice 5/10/19",
        expression=short_volume_ratio(pl.col("short_volume"), pl.col("total_volume")),
    ),
)


def daily_metrics(bars: pl.DataFrame, short_volume: pl.DataFrame) -> pl.DataFrame:
    """Every metric of `DAILY` for every bar.

    A value rests on its own session and those before it, never on later ones, so it stays the same to
    the last bit when later sessions, splits or dividends come. The last bits depend on where a history
    begins: give whole histories of an instrument, not tails.

    Rows of an instrument count as consecutive sessions. To keep a window from reaching over a session
    that is due and missing, give it a row with a null close.

    Args:
        bars: instrument_id, symbol, session, open, high, low, close, volume, factor, split_factor; rows in
            any order, one per instrument and session. Prices are unadjusted; `factor` is the cumulative
            adjustment factor of splits and dividends.
        short_volume: instrument_id, session, short_volume, total_volume; likewise. Bars without a row
            have a null ratio; rows without a bar are left out.

    Returns:
        instrument_id, symbol, session, close and the columns of `DAILY` (Float64), one row per bar,
        sorted by instrument_id and session; the same to the last bit for the same rows in any order.

    Raises:
        MetricInputError: A column is missing, or an instrument has two rows of one session.
    """
    ordered = in_order(bars, BAR_COLUMNS, "bars").with_columns(_instrument=pl.col("instrument_id").rle_id())
    shorts = in_order(short_volume, _SHORT_VOLUME_COLUMNS, "short_volume")
    return (
        _with_short_volume(ordered, shorts)
        .lazy()
        .with_columns(**_prepared())
        .select("instrument_id", "symbol", "session", "close", **{metric.name: metric.expression for metric in DAILY})
        # The streaming engine, now the default, is neither faster nor smaller for windows.
        .collect(engine="in-memory")
    )


def _with_short_volume(bars: pl.DataFrame, shorts: pl.DataFrame) -> pl.DataFrame:
    """Left join by one ascending integer: on 630,000 bars 0.06 s, where text and date together took 0.29 s."""
    codes = bars.select("instrument_id", "_instrument").unique("instrument_id")
    keyed = shorts.join(codes, on="instrument_id", maintain_order="left")
    key = pl.col("_instrument").cast(pl.Int64) * 2**32 + pl.col("session").to_physical()
    return bars.with_columns(_key=key.set_sorted()).join(
        keyed.select("short_volume", "total_volume", _key=key.set_sorted()),
        on="_key",
        how="left",
        maintain_order="left",
    )


def _prepared() -> dict[str, pl.Expr]:
    close = adjusted_price(pl.col("close"), _FACTOR)
    return {
        "_close": close,
        "_high": adjusted_price(pl.col("high"), _FACTOR),
        "_low": adjusted_price(pl.col("low"), _FACTOR),
        # An unbroken run of closes, or of nulls: RSI starts anew after a gap.
        "_run": pl.struct(_INSTRUMENT, close.is_null()).rle_id(),
    }
