from __future__ import annotations

from collections.abc import Callable
from datetime import date

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from finpipe.reports.evidence import with_receipts

Frames = Callable[..., pl.DataFrame]
Day = Callable[[int], date]

_receipts = st.lists(st.sampled_from(["r1", "r2", "r3"]), max_size=8)


@given(_receipts, _receipts, st.data())
def test_receipts_are_those_of_the_bars_in_the_window(
    make_bars: Frames, day: Day, a: list[str], b: list[str], data: st.DataObject
) -> None:
    receipts = {"a": a, "b": b}
    bars = pl.concat([make_bars([1.0] * len(of), name, receipt=of) for name, of in receipts.items()])
    spots = [(name, n) for name, of in receipts.items() for n in range(len(of))]
    picked = data.draw(st.lists(st.tuples(st.sampled_from(spots), st.integers(1, 5)), max_size=6)) if spots else []
    schema = {"instrument_id": pl.String, "session": pl.Date, "window": pl.Int32}
    found = pl.DataFrame([(name, day(n), w) for (name, n), w in picked], schema=schema, orient="row")
    cited = with_receipts(found, bars.reverse())
    assert cited.height == len(picked)
    for name, session, window, listed in cited.select(*schema, "receipts").rows():
        last = (session - day(0)).days
        assert listed == sorted(set(receipts[name][max(0, last - window + 1) : last + 1]))


def test_row_without_a_bar_is_left_out(make_bars: Frames, day: Day) -> None:
    found = pl.DataFrame({"instrument_id": ["i"], "session": [day(5)], "window": [1]})
    assert with_receipts(found, make_bars([1.0])).is_empty()
