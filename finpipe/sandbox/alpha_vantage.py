"""Alpha Vantage's wire format: TIME_SERIES_DAILY_ADJUSTED and its notices, all of them HTTP 200."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import polars as pl

from finpipe.sandbox.actions import adjusted_close
from finpipe.sandbox.limits import Verdict
from finpipe.sandbox.trading_day import TradingDay
from finpipe.sandbox.world import World

FUNCTION = "TIME_SERIES_DAILY_ADJUSTED"
COMPACT_ROWS = 100
_OUTPUT_SIZES = {"compact": "Compact", "full": "Full size"}


def answer(params: Mapping[str, str], world: World, day: TradingDay, verdict: Verdict) -> bytes:
    """The body of `GET /query` for these parameters."""
    key = params.get("apikey", "")
    if not key:
        return _notice("Error Message", _KEY_MISSING)
    if verdict.quota_exceeded:
        return _notice("Information", _QUOTA_SPENT.format(key=key))
    if verdict.window_exceeded:
        return _notice("Information", _TOO_FAST)
    function = params.get("function", "")
    if function != FUNCTION:
        return _notice("Error Message", f"This API function ({function}) does not exist.")
    size = params.get("outputsize", "compact")
    body = None
    if size in _OUTPUT_SIZES and params.get("datatype", "json") == "json":
        body = daily_adjusted(world, params.get("symbol", ""), size, day)
    return body or _notice("Error Message", _INVALID_CALL)


def daily_adjusted(world: World, symbol: str, output_size: str, day: TradingDay) -> bytes | None:
    """The series of one symbol as of a day, newest first; None when there is nothing to show.

    `output_size` is 'full', or 'compact' for the last 100 rows; a null in a bar is a JSON null.
    """
    history = world.history(symbol)
    shown = None if history is None else _shown(history, day)
    if shown is None or shown.is_empty():
        return None
    newest_first = shown.with_columns(adjusted=_ADJUSTED).reverse()
    rows = newest_first.head(COMPACT_ROWS) if output_size == "compact" else newest_first
    meta = {
        "1. Information": "Daily Time Series with Splits and Dividend Events",
        "2. Symbol": symbol,
        "3. Last Refreshed": str(rows["session"][0]),
        "4. Output Size": _OUTPUT_SIZES[output_size],
        "5. Time Zone": "US/Eastern",
    }
    series = rows.select(_ROW.str.join(",\n")).item()
    return b'{"Meta Data": %b,\n"Time Series (Daily)": {\n%b\n}}' % (orjson.dumps(meta), series.encode())


def _shown(history: pl.DataFrame, day: TradingDay) -> pl.DataFrame:
    last = day.running or day.final_through
    shown = history.filter(pl.col("session") <= last)
    if day.running is None:
        return shown
    is_running = pl.col("session") == day.running
    return shown.with_columns(
        pl.when(is_running).then(value).otherwise(pl.col(name)).alias(name) for name, value in _running_bar().items()
    )


def _running_bar() -> dict[str, pl.Expr]:
    """A bar that is consistent and surely not the final one, so that a client that keeps it is found out."""
    close = (pl.col("close") * 0.9975).round(6)
    return {
        "close": close,
        "high": pl.max_horizontal("open", close),
        "low": pl.min_horizontal("open", close),
        "volume": (pl.col("volume") * 0.6).floor(),
    }


def _text(number: pl.Expr) -> pl.Expr:
    """Four decimals, or as many as the number has."""
    four = number.cast(pl.Decimal(18, 4), strict=False)
    is_exact = four.cast(pl.Float64) == number
    return pl.when(is_exact).then(four.cast(pl.String)).otherwise(number.cast(pl.String))


def _whole_text(number: pl.Expr) -> pl.Expr:
    whole = number.cast(pl.Int64, strict=False)
    is_exact = whole.cast(pl.Float64) == number
    return pl.when(is_exact).then(whole.cast(pl.String)).otherwise(number.cast(pl.String))


_ADJUSTED = adjusted_close(pl.col("close"), pl.col("dividend"), pl.col("split")).round(12)
_FIELDS = [
    _text(pl.col("open")).alias("1. open"),
    _text(pl.col("high")).alias("2. high"),
    _text(pl.col("low")).alias("3. low"),
    _text(pl.col("close")).alias("4. close"),
    _text(pl.col("adjusted")).alias("5. adjusted close"),
    _whole_text(pl.col("volume")).alias("6. volume"),
    _text(pl.col("dividend")).alias("7. dividend amount"),
    pl.col("split").cast(pl.String).alias("8. split coefficient"),
]
_ROW = pl.concat_str(
    pl.lit('"'), pl.col("session").cast(pl.String), pl.lit('": '), pl.struct(_FIELDS).struct.json_encode()
)


def _notice(key: str, text: str) -> bytes:
    return orjson.dumps({key: text}, option=orjson.OPT_INDENT_2)


_INVALID_CALL = (
    "Invalid API call. Please retry or visit the documentation (https://www.alphavantage.co/documentation/) "
    f"for {FUNCTION}."
)
_KEY_MISSING = (
    "the parameter apikey is invalid or missing. Please claim your free API key on "
    "(https://www.alphavantage.co/support/#api-key). It should take less than 20 seconds."
)
_TOO_FAST = (
    "Thank you for using Alpha Vantage! Please consider spreading out your free API requests more sparingly. You "
    "may subscribe to any of the premium plans at https://www.alphavantage.co/premium/ to lift the free key rate "
    "limit (25 requests per day) and instantly unlock all premium endpoints"
)
# The provider shows the key in this notice: whatever a client keeps or logs of it must be redacted.
_QUOTA_SPENT = (
    "We have detected your API key as {key} and our standard API rate limit is 25 requests per day. Please "
    "subscribe to any of the premium plans at https://www.alphavantage.co/premium/ to instantly remove all daily "
    "rate limits."
)
