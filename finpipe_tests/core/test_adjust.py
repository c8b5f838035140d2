from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from math import isnan, nan, prod

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finpipe.core import Adjustment, adjusted, unusable_actions, with_factors

_BAR = {
    "instrument_id": pl.String,
    "session": pl.Date,
    "close": pl.Float64,
    "volume": pl.Float64,
    "currency": pl.String,
}
BARS = pl.Schema(_BAR)
ACTIONS = pl.Schema(
    {
        "instrument_id": pl.String,
        "session": pl.Date,
        "kind": pl.String,
        "amount": pl.Float64,
        "currency": pl.String,
        "ratio": pl.Float64,
    }
)


def day(n: int) -> date:
    return date(2003, 2, 1) + timedelta(days=n)


@dataclass(frozen=True)
class Action:
    on: int
    amount: float | None = None
    ratio: float | None = None
    currency: str = "USD"
    instrument: str = "i"

    @property
    def kind(self) -> str:
        return "split" if self.amount is None else "cash_dividend"


def bars_of(closes: dict[int, float], instrument: str = "i") -> pl.DataFrame:
    rows = [(instrument, day(n), close, 100.0, "USD") for n, close in closes.items()]
    return pl.DataFrame(rows, schema=BARS, orient="row")


def actions_of(*actions: Action) -> pl.DataFrame:
    rows = [(a.instrument, day(a.on), a.kind, a.amount, a.currency, a.ratio) for a in actions]
    return pl.DataFrame(rows, schema=ACTIONS, orient="row")


def factors(closes: dict[int, float], *actions: Action) -> list[float | None]:
    return with_factors(bars_of(closes), actions_of(*actions))["factor"].to_list()


# Yahoo's own worked example: MSFT, split 2:1 on 2003-02-18, $0.08 on 2003-02-19
# (help.yahoo.com, "What is the adjusted close?"; the closes are those of the exchange).
MSFT = bars_of({13: 46.99, 14: 48.30, 18: 24.96, 19: 24.53})
MSFT_ACTIONS = actions_of(Action(18, ratio=2.0), Action(19, amount=0.08))


@pytest.mark.parametrize(
    ("basis", "closes"),
    [
        pytest.param("none", [46.99, 48.30, 24.96, 24.53], id="none"),
        pytest.param("splits", [23.495, 24.15, 24.96, 24.53], id="splits"),
        pytest.param("splits_dividends", [23.42, 24.07, 24.88, 24.53], id="splits and dividends"),
    ],
)
def test_adjusted_closes_are_those_yahoo_publishes(basis: Adjustment, closes: list[float]) -> None:
    result = adjusted(MSFT, MSFT_ACTIONS, basis)
    assert result["close"].to_list() == pytest.approx(closes, abs=0.005)
    assert result.columns == MSFT.columns


def test_split_doubles_the_shares_before_it_and_a_dividend_none() -> None:
    assert adjusted(MSFT, MSFT_ACTIONS, "splits_dividends")["volume"].to_list() == [200.0, 200.0, 100.0, 100.0]


@pytest.mark.parametrize(
    ("stated_in", "closes", "volumes"),
    [
        pytest.param(day(14), [46.99, 48.30, 49.92, 49.06], [100, 100, 50, 50], id="before the split"),
        pytest.param(day(17), [46.99, 48.30, 49.92, 49.06], [100, 100, 50, 50], id="no bar: the one before"),
        pytest.param(day(1), [46.99, 48.30, 49.92, 49.06], [100, 100, 50, 50], id="no bar before: the first"),
        pytest.param(day(18), [23.495, 24.15, 24.96, 24.53], [200, 200, 100, 100], id="the split's session"),
        pytest.param(None, [23.495, 24.15, 24.96, 24.53], [200, 200, 100, 100], id="the last session"),
    ],
)
def test_adjusted_is_stated_in_the_basis_asked_for(
    stated_in: date | None, closes: list[float], volumes: list[float]
) -> None:
    result = adjusted(MSFT, MSFT_ACTIONS, "splits", stated_in)
    assert result["close"].to_list() == pytest.approx(closes)
    assert result["volume"].to_list() == pytest.approx(volumes)


def test_adjusted_leaves_prices_of_the_stated_session_as_they_are() -> None:
    assert adjusted(MSFT, MSFT_ACTIONS, "splits_dividends")["close"][-1] == 24.53


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        pytest.param([], [1.0, 1.0, 1.0], id="none"),
        pytest.param([Action(3, ratio=2.0)], [1.0, 2.0, 2.0], id="split on a session without a bar"),
        pytest.param([Action(3, amount=10.0)], [1.0, 1 / 0.9, 1 / 0.9], id="dividend on a session without a bar"),
        pytest.param([Action(1, ratio=2.0)], [1.0, 1.0, 1.0], id="effective at the first bar"),
        pytest.param([Action(0, amount=1.0)], [1.0, 1.0, 1.0], id="before the first bar"),
        pytest.param([Action(9, ratio=2.0)], [1.0, 1.0, 1.0], id="after the last bar"),
        pytest.param([Action(5, amount=5.0)], [1.0, 1.0, 1 / 0.9], id="previous close is as traded"),
        pytest.param([Action(4, ratio=0.1)], [1.0, 0.1, 0.1], id="reverse split"),
        pytest.param(
            [Action(4, ratio=2.0), Action(4, amount=10.0)], [1.0, 2 / 0.9, 2 / 0.9], id="dividend is per old share"
        ),
        pytest.param(
            [Action(2, ratio=2.0), Action(3, amount=5.0)], [1.0, 2 / 0.9, 2 / 0.9], id="dividend after a split"
        ),
    ],
)
def test_factor(actions: list[Action], expected: list[float]) -> None:
    assert factors({1: 100.0, 4: 50.0, 5: 50.0}, *actions) == pytest.approx(expected, rel=1e-15)


def test_dividend_changes_no_split_factor() -> None:
    assert with_factors(MSFT, MSFT_ACTIONS)["split_factor"].to_list() == [1.0, 1.0, 2.0, 2.0]


UNUSABLE = [
    pytest.param(Action(2, amount=100.0), "dividend not below the previous close", id="the whole price"),
    pytest.param(Action(2, amount=nan), "dividend not below the previous close", id="not a number"),
    pytest.param(Action(2, amount=0.0), "dividend without an amount above 0", id="zero amount"),
    pytest.param(Action(2, amount=-1.0), "dividend without an amount above 0", id="negative amount"),
    pytest.param(Action(2, amount=1.0, currency="EUR"), "dividend in another currency", id="currency"),
    pytest.param(Action(2, ratio=None), "split without a ratio above 0", id="no ratio"),
    pytest.param(Action(2, ratio=0.0), "split without a ratio above 0", id="zero ratio"),
    pytest.param(Action(2, ratio=nan), "split without a ratio above 0", id="ratio is no number"),
]


@pytest.mark.parametrize(("action", "reason"), UNUSABLE)
def test_unusable_action_is_listed_and_leaves_no_number_behind(action: Action, reason: str) -> None:
    bars, actions = bars_of({1: 100.0, 2: 100.0, 3: 100.0}), actions_of(Action(3, amount=1.0), action)
    listed = unusable_actions(bars, actions)
    assert listed["session"].to_list() == [day(2)]
    assert listed["previous_close"].to_list() == [100.0]
    assert reason in listed["reason"][0]
    assert with_factors(bars, actions)["factor"].to_list() == [1.0, None, None]
    assert adjusted(bars, actions, "splits_dividends")["close"].to_list() == [None, None, None]


def test_factors_are_computed_anew_for_bars_that_have_some() -> None:
    once = with_factors(MSFT, MSFT_ACTIONS)
    assert with_factors(once, MSFT_ACTIONS).equals(once)
    assert with_factors(once, actions_of())["factor"].to_list() == [1.0] * 4


def test_unusable_dividend_leaves_splits_usable() -> None:
    bars, actions = bars_of({1: 100.0, 2: 50.0}), actions_of(Action(2, amount=100.0), Action(2, ratio=2.0))
    assert with_factors(bars, actions)["split_factor"].to_list() == [1.0, 2.0]
    assert adjusted(bars, actions, "splits")["close"].to_list() == [50.0, 50.0]


def test_unusable_action_spares_other_instruments() -> None:
    bars = pl.concat([bars_of({1: 100.0, 2: 100.0}), bars_of({1: 10.0, 2: 10.0}, "j")])
    factored = with_factors(bars, actions_of(Action(2, amount=100.0)))
    assert factored.filter(instrument_id="j")["factor"].to_list() == [1.0, 1.0]


def test_unknown_kind_of_action_is_unusable() -> None:
    spin_off = actions_of(Action(2, ratio=1.0)).with_columns(kind=pl.lit("spin_off"))
    assert unusable_actions(bars_of({1: 1.0, 2: 1.0}), spin_off)["reason"].to_list() == ["unknown kind"]


@pytest.mark.parametrize("basis", ["none", "splits", "splits_dividends"])
def test_adjusted_of_nothing_is_nothing(basis: Adjustment) -> None:
    assert adjusted(bars_of({}), actions_of(), basis).equals(bars_of({}))


_closes = st.dictionaries(st.integers(0, 12), st.floats(1.0, 1000.0), min_size=1, max_size=10)
_actions = st.lists(
    st.one_of(
        st.builds(Action, on=st.integers(0, 13), amount=st.floats(0.01, 50.0)),
        st.builds(Action, on=st.integers(0, 13), ratio=st.sampled_from([0.1, 0.5, 1.5, 2.0, 7.0])),
    ),
    max_size=8,
    unique_by=lambda action: (action.on, action.kind),
)


def brute_force(closes: dict[int, float], actions: list[Action]) -> dict[int, float]:
    """The factor of each session by its definition, one action at a time; nan where it has none."""
    first = min(closes)

    def k(action: Action) -> float:
        if action.kind == "split":
            return action.ratio or nan
        before = max(n for n in closes if n < action.on)
        splits = [a.ratio or nan for a in actions if a.kind == "split" and before < a.on < action.on]
        yielded = (action.amount or nan) * prod(splits) / closes[before]
        return 1 / (1 - yielded) if yielded < 1 else nan

    return {n: prod(k(a) for a in actions if first < a.on <= n) for n in closes}


@given(_closes, _actions)
def test_factors_equal_their_definition(closes: dict[int, float], actions: list[Action]) -> None:
    expected = brute_force(closes, actions)
    found = with_factors(bars_of(closes), actions_of(*actions))
    for session, factor in found.select("session", "factor").rows():
        wanted = expected[(session - day(0)).days]
        assert factor is None if isnan(wanted) else factor == pytest.approx(wanted, rel=1e-12)


@given(_closes, _actions, st.integers(0, 13))
def test_later_actions_change_no_earlier_factor_to_the_last_bit(
    closes: dict[int, float], actions: list[Action], n: int
) -> None:
    earlier = [action for action in actions if action.on <= n]
    sessions = pl.col("session") <= day(n)
    with_all = with_factors(bars_of(closes), actions_of(*actions)).filter(sessions)
    assert with_all.equals(with_factors(bars_of(closes), actions_of(*earlier)).filter(sessions))


@given(_closes, _actions, st.randoms(use_true_random=False))
def test_factors_are_the_same_for_rows_in_any_order(
    closes: dict[int, float], actions: list[Action], order: object
) -> None:
    before = with_factors(bars_of(closes), actions_of(*actions))
    sessions = list(closes.items())
    order.shuffle(sessions)  # type: ignore[attr-defined]  # hypothesis types its randoms as object
    order.shuffle(actions)  # type: ignore[attr-defined]
    assert with_factors(bars_of(dict(sessions)), actions_of(*actions)).equals(before)
