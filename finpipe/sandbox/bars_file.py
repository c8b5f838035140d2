"""The user's own bars (`--bars FILE`): read by common column names, nothing dropped, nothing repaired."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from finpipe.errors import SandboxError

_COLUMNS = {
    "symbol": ("symbol", "ticker", "name"),
    "session": ("date", "session", "timestamp"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "volume": ("volume",),
    "adjusted_close": ("adjusted close", "adj close", "adjusted_close", "adj_close", "adjclose"),
}
_OPTIONAL = "adjusted_close"
_NULL_WORDS = ["", "na", "n/a", "nan", "null", "none"]


def read_bars(path: Path) -> pl.DataFrame:
    """Daily bars of a parquet or CSV file.

    Columns are found by name, whatever their case: symbol|ticker|name, date|session|timestamp, open, high, low,
    close, volume and, when there, adjusted close|adj close|adj_close|adjclose. Others are passed over.

    Returns:
        symbol, session, open, high, low, close, volume (Float64) and, when the file has it, adjusted_close;
        ascending by symbol and session. Nulls and impossible values stay as they are; NaN, and in text an empty
        field, NA, N/A, null or none, is a null.

    Raises:
        SandboxError: The file cannot be read, a column is missing, there is no row, a symbol or date is missing
            or unreadable, a number is text, or a symbol has two rows for one date.
    """
    found = _pick_columns(_read(path), path)
    if found.is_empty():
        raise _unusable(path, "it has no rows", "give a file with at least one bar")
    bars = found.with_columns(_symbols(found, path), _sessions(found, path))
    numbers = [name for name in bars.columns if name not in ("symbol", "session")]
    bars = bars.with_columns(_numbers(bars, name, path) for name in numbers).sort("symbol", "session")
    _require_one_row_a_session(bars, path)
    return bars


def _read(path: Path) -> pl.DataFrame:
    try:
        with path.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
        # As text: a column's type shall not depend on which rows the reader looked at.
        return pl.read_parquet(path) if is_parquet else pl.read_csv(path, infer_schema=False)
    except pl.exceptions.NoDataError as error:
        raise _unusable(path, "it is empty", "give a file with a header and at least one bar") from error
    except (OSError, pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise _unusable(path, reason, "give a parquet file, or a CSV file with a header line") from error


def _pick_columns(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    actual = {name.strip().lower(): name for name in reversed(frame.columns)}
    picked = {
        name: next((actual[alias] for alias in aliases if alias in actual), None) for name, aliases in _COLUMNS.items()
    }
    missing = [name for name, column in picked.items() if column is None and name != _OPTIONAL]
    if missing:
        wanted = "; ".join("|".join(_COLUMNS[name]) for name in missing)
        raise _unusable(path, f"it has no column {wanted}", f"rename one of {', '.join(frame.columns)}")
    return frame.select(pl.col(column).alias(name) for name, column in picked.items() if column is not None)


def _symbols(bars: pl.DataFrame, path: Path) -> pl.Series:
    symbols = bars["symbol"].cast(pl.String)
    # A bar or white space in a symbol would break the lines of a pipe-separated file.
    _require_rows(path, bars["symbol"], symbols.str.contains(r"^[^\s|\p{Cc}]{1,32}$"), "a symbol")
    return symbols


def _sessions(bars: pl.DataFrame, path: Path) -> pl.Series:
    given = bars["session"]
    if isinstance(given.dtype, pl.Datetime):
        sessions = given.dt.date()
    elif given.dtype == pl.Date:
        sessions = given
    else:
        text = given.cast(pl.String).str.strip_chars()
        iso = text.str.extract(r"^(\d{4}-\d{2}-\d{2})(?:[T ].*)?$").str.to_date("%Y-%m-%d", strict=False)
        sessions = iso.fill_null(text.str.extract(r"^(\d{8})$").str.to_date("%Y%m%d", strict=False))
    _require_rows(path, given, sessions.is_not_null(), "a date (expected 2013-03-01 or 20130301)")
    return sessions.alias("session")


def _numbers(bars: pl.DataFrame, name: str, path: Path) -> pl.Series:
    given = bars[name]
    if given.dtype == pl.String:
        text = given.str.strip_chars()
        given = text.set(text.str.to_lowercase().is_in(_NULL_WORDS), None)
    numbers = given.cast(pl.Float64, strict=False)
    _require_rows(path, given, numbers.is_not_null() | given.is_null(), f"a number in column {name}")
    return numbers.fill_nan(None)


def _require_rows(path: Path, given: pl.Series, holds: pl.Series, wanted: str) -> None:
    bad = (~holds.fill_null(value=False)).arg_true()
    if not bad.is_empty():
        value = given[bad[0]]
        raise _unusable(path, f"row {bad[0] + 1} has {value!r} for {wanted}", "correct or remove that row")


def _require_one_row_a_session(bars: pl.DataFrame, path: Path) -> None:
    # Sorted by both: a repeated key stands right below its first row.
    twice = bars.filter(pl.all_horizontal(pl.col("symbol", "session") == pl.col("symbol", "session").shift(1)))
    if not twice.is_empty():
        symbol, session = twice.select("symbol", "session").row(0)
        raise _unusable(path, f"{symbol} has {session} more than once", "keep one daily bar for each symbol and date")


def _unusable(path: Path, problem: str, mend: str) -> SandboxError:
    return SandboxError(f"cannot serve the bars of {path}: {problem}; {mend}.")
