"""Laws of staging, against a plain-Python twin: order, repetition, splitting, counting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from finpipe.raw.receipt import Receipt
from finpipe.sources.spec import Dataset
from finpipe.staging.accounting import COUNTS
from finpipe.staging.observe import SessionContext
from finpipe.staging.stage import Staged, stage

Page = Callable[..., bytes]
Received = Callable[..., tuple[Receipt, bytes]]
Raw = tuple[Receipt, bytes]

START = datetime(2013, 2, 27, 22, tzinfo=UTC)
DAYS = ("2013-02-27", "2013-02-28", "2013-03-01", "2013-03-02")  # the last is a Saturday


@dataclass(frozen=True)
class Said:
    """What one record says."""

    close: str
    dividend: str
    split: str

    @property
    def fields(self) -> dict[str, str]:
        return {"4. close": self.close, "7. dividend amount": self.dividend, "8. split coefficient": self.split}


SAID = st.builds(
    Said,
    close=st.sampled_from(["11.0", "11.00", "11.5", "99", "x"]),  # 99 is above the high, x is no number
    dividend=st.sampled_from(["0.0", "0.0", "0.5", "0.6", "?"]),
    split=st.sampled_from(["1.0", "1.0", "1.0000", "2.0"]),
)
PAGE = st.dictionaries(st.sampled_from(DAYS), SAID, max_size=4)
# Receipts hours apart, so that some come before a session is out, in time, and late.
PAGES = st.lists(st.tuples(st.integers(1, 40), st.sampled_from(["IBM", "MSFT"]), PAGE), min_size=1, max_size=7)


def raw_objects(
    pages: Sequence[tuple[int, str, Mapping[str, Said]]], received: Received, price_page: Page
) -> list[Raw]:
    at, objects = START, []
    for hours, symbol, page in pages:
        at += timedelta(hours=hours)
        body = price_page({day: said.fields for day, said in page.items()}, symbol)
        objects.append(received(body, at, {"symbol": symbol}))
    return objects


def assert_same(one: Staged, other: Staged) -> None:
    assert one.accounts.equals(other.accounts)
    assert one.quarantine.equals(other.quarantine)
    for name, versions in one.versions.items():
        assert versions.equals(other.versions[name]), name


def chains(
    pages: Sequence[tuple[int, str, Mapping[str, Said]]], context: SessionContext
) -> tuple[list[tuple[Any, ...]], list[dict[str, int]]]:
    """The twin: one dictionary of what is known, record by record."""
    known: dict[tuple[str, str, str], Any] = {}
    versions: list[tuple[Any, ...]] = []
    accounts: list[dict[str, int]] = []
    at = START
    for hours, symbol, page in pages:
        at += timedelta(hours=hours)
        account = dict.fromkeys(COUNTS, 0)
        facts_before = {(key[0], key[1]) for key in known}
        for day, said in page.items():
            session = date.fromisoformat(day)
            available = context.available_at(session)
            if session.weekday() == 5:
                account["quarantined"] += 1
                continue
            if available > at:
                account["not_final"] += 1
                continue
            outcomes = set()
            contents = {
                "bar": None if said.close in ("99", "x") else float(said.close),
                "cash_dividend": None if said.dividend == "?" else float(said.dividend),
                "split": float(said.split),
            }
            nothing = {"bar": -1.0, "cash_dividend": 0.0, "split": 1.0}
            for kind, content in contents.items():
                key = (symbol, day, kind)
                if content is None:
                    outcomes.add("quarantined")
                    continue
                is_absent = content == nothing[kind]
                if known.get(key, nothing[kind]) == content:
                    outcomes |= set() if is_absent else {"unchanged"}
                    continue
                is_new = (symbol, day) not in facts_before
                is_declared = is_new and at > available + context.grace
                basis = (available, "declared") if is_declared else (at, "observed")
                versions.append((*key, None if is_absent else content, *basis, is_absent))
                known[key] = content
                outcomes.add("new" if is_new else "restated")
            ranked = [name for name in ("quarantined", "restated", "new", "unchanged") if name in outcomes]
            account[ranked[0] if ranked else "unchanged"] += 1
        accounts.append(account)
    return versions, accounts


def staged_chains(staged: Staged) -> list[tuple[Any, ...]]:
    knowledge = ["knowledge_time", "knowledge_basis", "is_retracted"]
    day = pl.col("session").cast(pl.String)
    bars = staged.versions["bars"].select("symbol", day, pl.lit("bar"), "close", *knowledge)
    value = pl.coalesce("amount", "ratio")
    actions = staged.versions["corporate_actions"].select("symbol", day, "kind", value, *knowledge)
    return bars.rows() + actions.rows()


@settings(max_examples=60)
@given(pages=PAGES)
def test_staging_equals_a_record_by_record_fold(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page, pages: Any
) -> None:
    staged = stage(prices, raw_objects(pages, received, price_page), None, context)
    versions, accounts = chains(pages, context)
    assert sorted(staged_chains(staged), key=repr) == sorted(versions, key=repr)
    assert staged.accounts.select(COUNTS).to_dicts() == accounts
    assert staged.accounts["records"].to_list() == [len(page) for _, _, page in pages]


@settings(max_examples=25)
@given(pages=PAGES, data=st.data())
def test_order_and_repetition_of_receipts_do_not_matter(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page, pages: Any, data: Any
) -> None:
    objects = raw_objects(pages, received, price_page)
    again = data.draw(st.permutations(objects + data.draw(st.lists(st.sampled_from(objects), max_size=3))))
    assert_same(stage(prices, objects, None, context), stage(prices, again, None, context))


@settings(max_examples=25)
@given(pages=PAGES, data=st.data())
def test_staging_in_several_runs_equals_staging_at_once(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page, pages: Any, data: Any
) -> None:
    objects = raw_objects(pages, received, price_page)
    cut = data.draw(st.integers(0, len(objects)))
    first = stage(prices, objects[:cut], None, context)
    second = stage(prices, objects[cut:], first.versions, context)
    joined = Staged(
        {
            name: pl.concat([versions, second.versions[name]]).sort(
                "symbol", "session", *(["kind"] if name == "corporate_actions" else []), "receipt"
            )
            for name, versions in first.versions.items()
        },
        pl.concat([first.quarantine, second.quarantine]),
        pl.concat([first.accounts, second.accounts]),
    )
    assert_same(joined, stage(prices, objects, None, context))


BAD_ROWS = {
    "20130301|{}|1|0|2": "ragged_row",
    "20130301|{}|1|0|2|N|": "ragged_row",
    "20130301|{}|x|0|2|N": "parse_failed:short_volume",
    "20130301|{}|NaN|0|2|N": "parse_failed:short_volume",
    "20130301|{}||0|2|N": "short_volume|not_null",
    "20130301|{}|3|0|2|N": "short_within_total",
    "20130301|{}|1|-1|2|N": "short_exempt_volume_not_negative",
    "2013-03-01|{}|1|0|2|N": "parse_failed:session",
    "|{}|1|0|2|N": "session|not_null",
    "20130302|{}|1|0|2|N": "not_a_session",
    "20130301|{}\ufffd|1|0|2|N": "parse_failed:symbol",
}


@settings(max_examples=40)
@given(kinds=st.lists(st.sampled_from(["good", *BAD_ROWS]), max_size=30))
def test_each_bad_row_is_quarantined_by_its_rule_and_no_other(
    shorts: Dataset, context: SessionContext, received: Received, short_page: Page, kinds: list[str]
) -> None:
    rows = ["20130301|{}|1|0|2|N" if kind == "good" else kind for kind in kinds]
    body = short_page(*(row.format(f"S{n}") for n, row in enumerate(rows)))
    sessions = (date(2013, 3, 1), date(2013, 3, 2))
    staged = stage(shorts, [received(body, datetime(2013, 3, 5, tzinfo=UTC), sessions=sessions)], None, context)
    expected = [(n, [BAD_ROWS[kind]]) for n, kind in enumerate(kinds) if kind != "good"]
    assert staged.quarantine.select("record", "rules").rows() == expected
    account = staged.accounts.row(0, named=True)
    good = kinds.count("good")
    assert (account["records"], account["new"], account["quarantined"]) == (len(kinds), good, len(kinds) - good)
    assert staged.versions["short_volume"].height == good
