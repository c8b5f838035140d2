from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finpipe.core import Basis, as_of

DAY_0 = datetime(2013, 3, 1, tzinfo=UTC)
SCHEMA: dict[str, pl.DataType] = {
    "key": pl.String(),
    "value": pl.Int64(),
    "source": pl.String(),
    "receipt": pl.String(),
    "knowledge_time": pl.Datetime("us", "UTC"),
    "is_retracted": pl.Boolean(),
}


def day(n: float) -> datetime:
    return DAY_0 + timedelta(days=n)


@dataclass(frozen=True)
class Version:
    key: str
    value: int
    known: int
    received: int | None = None  # when not `known`: history that was received late
    source: str = "a"
    is_retracted: bool = False

    @property
    def received_on(self) -> int:
        return self.known if self.received is None else self.received

    @property
    def receipt(self) -> str:
        return f"{day(self.received_on):%Y%m%dT%H%M%S%fZ}-{self.value % 2**32:08x}"


def frame(*versions: Version) -> pl.DataFrame:
    rows = [(v.key, v.value, v.source, v.receipt, day(v.known), v.is_retracted) for v in versions]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def values(frame: pl.DataFrame, t: datetime | None = None, basis: Basis = "declared") -> list[int]:
    return as_of(frame, ["key"], t, basis=basis)["value"].to_list()


RESTATED = frame(Version("x", 1, known=1), Version("x", 2, known=5))


@pytest.mark.parametrize(
    ("t", "expected"),
    [
        pytest.param(day(0.9), [], id="before it was known"),
        pytest.param(day(1), [1], id="the instant it became known"),
        pytest.param(day(4.9), [1], id="before the restatement"),
        pytest.param(day(5), [2], id="the instant of the restatement"),
        pytest.param(None, [2], id="everything"),
    ],
)
def test_as_of_returns_what_stood(t: datetime | None, expected: list[int]) -> None:
    assert values(RESTATED, t) == expected


def test_as_of_takes_an_instant_of_any_zone() -> None:
    new_york = timezone(timedelta(hours=-5))
    assert values(RESTATED, day(5).astimezone(new_york)) == [2]
    assert values(RESTATED, day(5).astimezone(new_york), "observed") == [2]


def test_history_received_late_counts_as_known_when_declared_but_not_when_observed() -> None:
    late = frame(Version("x", 1, known=1, received=9))
    assert values(late, day(2), "declared") == [1]
    assert values(late, day(2), "observed") == []
    assert values(late, day(9), "observed") == [1]


def test_observed_goes_by_the_order_of_receipts() -> None:
    # First received at day 3; the older statement, declared for day 1, came later and restated it.
    crossed = frame(Version("x", 1, known=3), Version("x", 2, known=1, received=4))
    assert values(crossed, basis="declared") == [1]
    assert values(crossed, basis="observed") == [2]


def test_later_receipt_stands_when_both_are_known_from_one_instant() -> None:
    assert values(frame(Version("x", 2, known=1, received=3), Version("x", 1, known=1))) == [2]


def test_retracted_fact_is_gone_until_it_is_stated_again() -> None:
    facts = frame(Version("x", 1, known=1), Version("x", 2, known=2, is_retracted=True), Version("x", 3, known=3))
    assert [values(facts, day(n)) for n in (1, 2, 3)] == [[1], [], [3]]


def test_first_source_by_name_is_taken_where_several_state_a_fact() -> None:
    facts = frame(Version("x", 1, known=1, source="b"), Version("x", 2, known=2, source="a"))
    assert [values(facts, day(n)) for n in (1, 2)] == [[1], [2]]


def test_other_source_stands_where_the_first_retracted() -> None:
    facts = frame(
        Version("x", 1, known=1, source="a"),
        Version("x", 2, known=1, source="b"),
        Version("x", 3, known=2, source="a", is_retracted=True),
    )
    assert [values(facts, day(n)) for n in (1, 2)] == [[1], [2]]


def test_as_of_refuses_an_instant_without_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        values(RESTATED, datetime(2013, 3, 1))  # noqa: DTZ001  # the case under test


def test_as_of_nothing_is_nothing() -> None:
    assert as_of(frame(), ["key"], DAY_0).equals(frame())


_days = st.integers(0, 6)
_versions = st.lists(
    st.builds(
        Version,
        key=st.sampled_from("xy"),
        value=st.integers(0, 10**6),
        known=_days,
        received=st.none() | _days,
        source=st.sampled_from("ab"),
        is_retracted=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda version: version.value,
)
_bases = st.sampled_from(["declared", "observed"])


@given(_versions, _days, _bases)
def test_as_of_equals_its_definition(versions: list[Version], n: int, basis: Basis) -> None:
    stood: dict[str, int] = {}
    for key, source in [(key, source) for key in "xy" for source in "ba"]:
        of_source = [v for v in versions if (v.key, v.source) == (key, source)]
        if basis == "declared":
            ranked = sorted((v for v in of_source if v.known <= n), key=lambda v: (v.known, v.receipt))
        else:
            ranked = sorted((v for v in of_source if v.received_on <= n), key=lambda v: v.receipt)
        if ranked and not ranked[-1].is_retracted:
            stood[key] = ranked[-1].value
    assert values(frame(*versions), day(n), basis) == [stood[key] for key in sorted(stood)]


@given(_versions, _days, _bases, st.randoms(use_true_random=False))
def test_as_of_is_the_same_for_rows_in_any_order(versions: list[Version], n: int, basis: Basis, order: object) -> None:
    before = as_of(frame(*versions), ["key"], day(n), basis=basis)
    order.shuffle(versions)  # type: ignore[attr-defined]  # hypothesis types its randoms as object
    assert as_of(frame(*versions), ["key"], day(n), basis=basis).equals(before)


@given(_versions, _days, _bases)
def test_later_knowledge_changes_no_earlier_answer(versions: list[Version], n: int, basis: Basis) -> None:
    earlier = [v for v in versions if (v.known if basis == "declared" else v.received_on) <= n]
    known = as_of(frame(*earlier), ["key"], basis=basis)
    assert as_of(frame(*versions), ["key"], day(n), basis=basis).equals(known)


@given(_versions, _days, _bases)
def test_as_of_twice_is_as_of_once(versions: list[Version], n: int, basis: Basis) -> None:
    once = as_of(frame(*versions), ["key"], day(n), basis=basis)
    assert as_of(once, ["key"], day(n), basis=basis).equals(once)
