from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from finpipe.errors import MetricInputError
from finpipe.metrics.inputs import in_order

ROWS = pl.DataFrame(
    {
        "instrument_id": ["b", "a", "a"],
        "session": [date(2013, 3, 1), date(2013, 3, 1), date(2013, 2, 28)],
        "close": [1.0, 2.0, 3.0],
        "note": ["x", "y", "z"],
    }
)


def test_rows_come_sorted_with_the_columns_asked_for() -> None:
    ordered = in_order(ROWS, ["instrument_id", "session", "close"], "bars")
    assert ordered.columns == ["instrument_id", "session", "close"]
    assert ordered["close"].to_list() == [3.0, 2.0, 1.0]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(MetricInputError, match="bars: no column factor, high; found instrument_id, session"):
        in_order(ROWS, ["factor", "high"], "bars")


def test_two_rows_of_a_session_are_an_error() -> None:
    with pytest.raises(MetricInputError, match="bars: more than one row for a on 2013-03-01"):
        in_order(pl.concat([ROWS, ROWS[1:2]]), ["instrument_id", "session"], "bars")
