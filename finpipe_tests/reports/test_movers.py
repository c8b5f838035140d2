from __future__ import annotations

from collections.abc import Callable
from datetime import date

import polars as pl
import pytest

from finpipe.reports import REPORTS, movers

Frames = Callable[..., pl.DataFrame]


@pytest.fixture
def returns(make_bars: Frames, make_metrics: Frames) -> Callable[[dict[str, float | None]], tuple[pl.DataFrame, ...]]:
    """One session of instruments that moved so."""

    def frames(moves: dict[str, float | None]) -> tuple[pl.DataFrame, ...]:
        metrics = [make_metrics([10.0], name, return_1d=[move]) for name, move in moves.items()]
        return pl.concat(metrics), pl.concat([make_bars([10.0], name) for name in moves])

    return frames


@pytest.fixture
def frames(make_bars: Frames, make_metrics: Frames) -> tuple[Frames, Frames]:
    return make_bars, make_metrics


Returns = Callable[[dict[str, float | None]], tuple[pl.DataFrame, pl.DataFrame]]


def ranked(found: pl.DataFrame) -> list[tuple[str, int, str]]:
    return found.select("direction", "rank", "symbol").rows()


def test_movers_are_the_largest_rises_then_the_largest_falls(returns: Returns) -> None:
    metrics, bars = returns({"a": 0.01, "b": 0.03, "c": -0.02, "d": 0.02, "e": -0.05, "f": -0.01})
    assert ranked(movers(metrics, bars, top=2)) == [
        ("up", 1, "B"),
        ("up", 2, "D"),
        ("down", 1, "E"),
        ("down", 2, "C"),
    ]


def test_movers_leave_out_what_did_not_move_or_has_no_return(returns: Returns) -> None:
    assert movers(*returns({"a": 0.0, "b": None})).is_empty()


def test_movers_rank_equal_returns_by_symbol_for_rows_in_any_order(returns: Returns) -> None:
    metrics, bars = returns({"c": 0.01, "a": 0.01, "b": 0.01})
    found = movers(metrics, bars, top=2)
    assert ranked(found) == [("up", 1, "A"), ("up", 2, "B")]
    assert movers(metrics.reverse(), bars.reverse(), top=2).equals(found)


def test_movers_are_found_for_every_session(make_bars: Frames, make_metrics: Frames) -> None:
    metrics = make_metrics([10.0, 11.0, 9.0], return_1d=[None, 0.1, -0.18])
    found = movers(metrics, make_bars([10.0, 11.0, 9.0]))
    assert found.select("session", "direction").rows() == [
        (date(2013, 1, 2), "up"),
        (date(2013, 1, 3), "down"),
    ]


@pytest.mark.parametrize(
    ("volumes", "split_factor", "expected"),
    [
        pytest.param([100.0] * 20 + [300.0], [1.0] * 21, 3.0, id="three times the usual"),
        pytest.param([9e9] + [100.0] * 20 + [300.0], [1.0] * 22, 3.0, id="20 sessions and no more"),
        pytest.param([100.0] * 20 + [200.0], [1.0] * 20 + [2.0], 1.0, id="a share after a 2:1 split is half of one"),
        pytest.param([100.0] * 19 + [300.0], [1.0] * 20, None, id="19 sessions are too few"),
        pytest.param([9e9] + [0.0] * 20 + [300.0], [1.0] * 22, None, id="none of them traded"),
        pytest.param([100.0] * 20 + [None], [1.0] * 21, None, id="volume not known"),
    ],
)
def test_volume_ratio(
    frames: tuple[Frames, Frames], volumes: list[float | None], split_factor: list[float], expected: float | None
) -> None:
    make_bars, make_metrics = frames
    closes = [10.0] * len(volumes)
    metrics = make_metrics(closes, return_1d=[None] * (len(volumes) - 1) + [0.1])
    found = movers(metrics, make_bars(closes, volume=volumes, split_factor=split_factor))
    assert found["volume_ratio_20"].to_list() == [None if expected is None else pytest.approx(expected)]


def test_movers_of_nothing_are_an_empty_report(make_bars: Frames, make_metrics: Frames) -> None:
    found = movers(make_metrics([]), make_bars([]))
    assert found.is_empty()
    assert found.schema == REPORTS["movers"].schema
