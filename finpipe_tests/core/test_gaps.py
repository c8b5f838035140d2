from __future__ import annotations

from datetime import date, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from finpipe.core import with_gaps

FIRST = date(2013, 2, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(12)]


def bars(present: dict[str, set[int]]) -> pl.DataFrame:
    rows = [(name, name.upper(), DAYS[n], float(n)) for name, days in present.items() for n in sorted(days)]
    schema = {"instrument_id": pl.String, "symbol": pl.String, "session": pl.Date, "close": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


PRESENT = st.dictionaries(st.sampled_from("abc"), st.sets(st.integers(0, 11), min_size=1), max_size=3)


@given(PRESENT, st.sets(st.integers(0, 11)))
def test_gaps_are_the_sessions_between_first_and_last_without_a_bar(
    present: dict[str, set[int]], open_days: set[int]
) -> None:
    filled = with_gaps(bars(present).sample(fraction=1, shuffle=True, seed=1), [DAYS[n] for n in open_days])
    expected = {
        name: sorted(days | {n for n in open_days if min(days) < n < max(days)}) for name, days in present.items()
    }
    found = {name: [DAYS.index(day) for day in part["session"]] for (name,), part in filled.group_by("instrument_id")}
    assert found == expected
    assert filled.filter(pl.col("close").is_not_null()).equals(bars(present).sort("instrument_id", "session"))


def test_gap_has_the_symbol_of_the_bar_before_and_null_values() -> None:
    gap = with_gaps(bars({"a": {0, 2}}), DAYS).row(1, named=True)
    assert gap == {"instrument_id": "a", "symbol": "A", "session": DAYS[1], "close": None}


def test_gaps_of_no_bars_are_none() -> None:
    assert with_gaps(bars({}), DAYS).is_empty()
