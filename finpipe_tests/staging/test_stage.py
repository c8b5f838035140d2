"""Raw objects to versions, quarantine and accounts: the cases one by one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from finpipe.errors import CalendarError, ContractError
from finpipe.raw.receipt import Receipt
from finpipe.schemas import LINEAGE, STAGED
from finpipe.sources.spec import Dataset
from finpipe.staging import stage as stage_module
from finpipe.staging.accounting import ACCOUNTS, COUNTS, QUARANTINE
from finpipe.staging.observe import SessionContext
from finpipe.staging.stage import Staged, stage

Page = Callable[..., bytes]
Received = Callable[..., tuple[Receipt, bytes]]

IBM = {"symbol": "IBM"}
FRIDAY = date(2013, 3, 1)
IN_TIME = datetime(2013, 3, 1, 23, 30, tzinfo=UTC)
LATE = datetime(2013, 3, 5, 12, tzinfo=UTC)
LATER = datetime(2013, 3, 6, 12, tzinfo=UTC)
RESTATED_CLOSE = {"4. close": "11.5"}
DIVIDEND = {"7. dividend amount": "0.5"}


def counts(staged: Staged, receipt: int = 0) -> dict[str, int]:
    account = staged.accounts.row(receipt, named=True)
    assert account["records"] == sum(account[name] for name in COUNTS)
    return {name: account[name] for name in COUNTS if account[name]}


def quarantined(staged: Staged) -> list[tuple[str | None, list[str]]]:
    return list(staged.quarantine.select("table", "rules").iter_rows())


def knowledge(versions: pl.DataFrame) -> list[tuple[Any, ...]]:
    return versions.select("knowledge_time", "knowledge_basis", "is_retracted").rows()


def test_stage_gives_canonical_rows_with_their_lineage(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page
) -> None:
    receipt, body = received(price_page({"2013-03-01": DIVIDEND}), IN_TIME, IBM)
    staged = stage(prices, [(receipt, body)], None, context)
    bar = staged.versions["bars"].row(0, named=True)
    assert bar == {
        "symbol": "IBM",
        "session": FRIDAY,
        "open": 10.0,
        "high": 12.0,
        "low": 9.0,
        "close": 11.0,
        "volume": 100.0,
        "currency": "USD",
        "source": "source_x",
        "receipt": receipt.id,
        "record": 0,
        "knowledge_time": IN_TIME,
        "knowledge_basis": "observed",
        "is_retracted": False,
    }
    action = staged.versions["corporate_actions"].row(0, named=True)
    assert (action["kind"], action["amount"], action["ratio"]) == ("cash_dividend", 0.5, None)
    assert counts(staged) == {"new": 1}


def test_stage_gives_frames_of_stated_schemas_whatever_there_is(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page
) -> None:
    full = stage(
        prices, [received(price_page({"2013-03-01": {"4. close": "0"}, "2013-02-28": {}}), LATE, IBM)], None, context
    )
    for staged in (full, stage(prices, [], None, context)):
        for name, versions in staged.versions.items():
            assert versions.schema == STAGED[name].schema | {column.name: column.dtype for column in LINEAGE}
        assert staged.quarantine.schema == QUARANTINE
        assert staged.accounts.schema == ACCOUNTS


def test_stage_accounts_for_each_receipt(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page
) -> None:
    receipt, body = received(price_page({"2013-03-01": {}}), IN_TIME, IBM)
    account = stage(prices, [(receipt, body)], None, context).accounts.row(0, named=True)
    assert (account["receipt"], account["sha256"], account["item"]) == (receipt.id, receipt.sha256, '{"symbol":"IBM"}')
    assert (account["first"], account["last"], account["received_at"]) == (receipt.first, receipt.last, IN_TIME)
    assert (account["records"], account["truncated"]) == (1, False)


@pytest.mark.parametrize(
    ("at", "time", "basis"),
    [
        pytest.param(datetime(2013, 3, 1, 23, tzinfo=UTC), "received", "observed", id="the moment it is out"),
        pytest.param(datetime(2013, 3, 2, 3, tzinfo=UTC), "received", "observed", id="the end of grace"),
        pytest.param(datetime(2013, 3, 2, 3, 0, 0, 1, tzinfo=UTC), "declared", "declared", id="just after grace"),
        pytest.param(datetime(2020, 1, 1, tzinfo=UTC), "declared", "declared", id="history"),
    ],
)
def test_first_version_is_known_when_it_came_in_time_or_else_when_it_was_out(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page, at: datetime, time: str, basis: str
) -> None:
    staged = stage(prices, [received(price_page({"2013-03-01": {}}), at, IBM)], None, context)
    expected = at if time == "received" else datetime(2013, 3, 1, 23, tzinfo=UTC)
    assert knowledge(staged.versions["bars"]) == [(expected, basis, False)]


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        pytest.param({"1. open": "10.0000", "6. volume": "100.0"}, {"unchanged": 1}, id="other spelling"),
        pytest.param({"5. adjusted close": "5.4"}, {"unchanged": 1}, id="a field that is not mapped"),
        pytest.param(RESTATED_CLOSE, {"restated": 1}, id="another value"),
        pytest.param({"6. volume": None}, {"restated": 1}, id="a value became null"),
        pytest.param(DIVIDEND, {"restated": 1}, id="a dividend was added"),
        pytest.param({"8. split coefficient": "2.0"}, {"restated": 1}, id="a split was added"),
    ],
)
def test_second_receipt_counts_as_what_it_changes(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page, second: Any, expected: Any
) -> None:
    objects = [
        received(price_page({"2013-03-01": {}}), LATE, IBM),
        received(price_page({"2013-03-01": second}), LATER, IBM),
    ]
    assert counts(stage(prices, objects, None, context), 1) == expected


def test_restatement_is_known_from_its_own_bytes(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page
) -> None:
    objects = [
        received(price_page({"2013-03-01": {}}), LATE, IBM),
        received(price_page({"2013-03-01": RESTATED_CLOSE}), LATER, IBM),
    ]
    bars = stage(prices, objects, None, context).versions["bars"]
    assert bars["close"].to_list() == [11.0, 11.5]
    assert knowledge(bars)[1] == (LATER, "observed", False)


def test_dividend_added_to_a_known_session_was_not_known_before(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page
) -> None:
    objects = [
        received(price_page({"2013-03-01": {}}), LATE, IBM),
        received(price_page({"2013-03-01": DIVIDEND}), LATER, IBM),
    ]
    actions = stage(prices, objects, None, context).versions["corporate_actions"]
    assert knowledge(actions) == [(LATER, "observed", False)]


def test_dividend_that_is_taken_back_is_retracted_and_may_return(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page
) -> None:
    days = [DIVIDEND, {}, {}, DIVIDEND]
    objects = [received(price_page({"2013-03-01": day}), LATE + timedelta(days=n), IBM) for n, day in enumerate(days)]
    staged = stage(prices, objects, None, context)
    actions = staged.versions["corporate_actions"]
    assert actions.select("kind", "amount", "currency", "is_retracted").rows() == [
        ("cash_dividend", 0.5, "USD", False),
        ("cash_dividend", None, None, True),
        ("cash_dividend", 0.5, "USD", False),
    ]
    assert [counts(staged, n) for n in range(4)] == [{"new": 1}, {"restated": 1}, {"unchanged": 1}, {"restated": 1}]


def test_dividend_that_never_was_leaves_no_trace(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page
) -> None:
    staged = stage(prices, [received(price_page({"2013-03-01": {}}), LATE, IBM)], None, context)
    assert staged.versions["corporate_actions"].is_empty()


def test_body_of_another_symbol_is_out_of_scope(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page
) -> None:
    body = price_page({"2013-03-01": {}, "2013-02-28": {"4. close": "bad"}}, symbol="MSFT")
    staged = stage(prices, [received(body, LATE, IBM)], None, context)
    assert counts(staged) == {"out_of_scope": 2}
    assert staged.versions["bars"].is_empty()
    assert staged.quarantine.is_empty()


def test_sessions_outside_the_request_belong_to_a_window(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page
) -> None:
    request = received(price_page({"2013-02-28": {}, "2013-03-01": {}}), LATE, IBM, sessions=(FRIDAY, FRIDAY))
    assert counts(stage(prices, [request], None, context)) == {"new": 2}


def test_sessions_outside_the_request_are_out_of_scope_of_a_session(
    shorts: Dataset, context: SessionContext, received: Received, short_page: Page
) -> None:
    body = short_page("20130301|A|1|0|2|N", "20130228|A|1|0|2|N", "20130304|A|x|0|2|N")
    staged = stage(shorts, [received(body, LATE, sessions=(FRIDAY, FRIDAY))], None, context)
    assert counts(staged) == {"new": 1, "out_of_scope": 2}


def test_session_that_is_not_out_yet_is_never_stored(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page
) -> None:
    at = datetime(2013, 3, 1, 22, 59, 59, tzinfo=UTC)
    body = price_page({"2013-03-01": {"4. close": "bad"}, "2013-02-28": {}})
    staged = stage(prices, [received(body, at, IBM)], None, context)
    assert counts(staged) == {"new": 1, "not_final": 1}
    assert staged.versions["bars"]["session"].to_list() == [date(2013, 2, 28)]


def test_date_that_is_no_session_is_quarantined(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page
) -> None:
    staged = stage(prices, [received(price_page({"2013-03-02": {}}), LATE, IBM)], None, context)
    # A Saturday, in each of the three mappings of the record.
    assert quarantined(staged) == [("bars", ["not_a_session"])] + [("corporate_actions", ["not_a_session"])] * 2
    assert counts(staged) == {"quarantined": 1}


def test_date_beyond_the_calendar_is_quarantined(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page
) -> None:
    def is_session(day: date) -> bool:
        raise CalendarError(f"{day} is beyond")

    unknowing = SessionContext(context.available_at, is_session, context.grace)
    staged = stage(prices, [received(price_page({"2013-03-01": {}}), LATE, IBM)], None, unknowing)
    assert counts(staged) == {"quarantined": 1}


def test_quarantine_points_to_the_record(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page
) -> None:
    body = price_page({"2013-02-28": {}, "2013-03-01": {"2. high": "1", "6. volume": "-1"}})
    receipt, _ = request = received(body, LATE, IBM)
    staged = stage(prices, [request], None, context)
    row = staged.quarantine.row(0, named=True)
    assert (row["receipt"], row["record"], row["table"]) == (receipt.id, 1, "bars")
    assert (row["symbol"], row["session"]) == ("IBM", FRIDAY)
    assert set(row["rules"]) == {"high_highest", "low_lowest", "volume_not_negative"}
    assert '"2. high":"1"' in row["content"]
    assert '"session":"2013-03-01"' in row["content"]


def test_good_rows_of_a_record_with_a_bad_one_are_kept(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page
) -> None:
    staged = stage(
        prices, [received(price_page({"2013-03-01": {"4. close": "?", **DIVIDEND}}), LATE, IBM)], None, context
    )
    assert counts(staged) == {"quarantined": 1}
    assert quarantined(staged) == [("bars", ["parse_failed:close"])]
    assert staged.versions["corporate_actions"].height == 1


def test_body_that_cannot_be_decoded_is_one_quarantined_record(
    prices: Dataset, context: SessionContext, received: Received
) -> None:
    staged = stage(prices, [received(b"<html>busy</html>", LATE, IBM)], None, context)
    assert counts(staged) == {"quarantined": 1}
    row = staged.quarantine.row(0, named=True)
    assert (row["table"], row["symbol"], row["rules"]) == (None, "IBM", ["undecodable"])
    assert "<html>busy</html>" in row["content"]


def test_file_cut_short_is_marked(
    shorts: Dataset, context: SessionContext, received: Received, short_page: Page
) -> None:
    whole = short_page("20130301|A|1|0|2|N", "20130301|B|1|0|2|N")
    staged = stage(
        shorts,
        [received(whole, LATE), received(whole[:-9], LATER)],
        None,
        context,
    )
    assert staged.accounts["truncated"].to_list() == [False, True]
    assert counts(staged, 1) == {"unchanged": 1, "quarantined": 1}
    assert quarantined(staged) == [(None, ["ragged_row"])]


def test_key_that_stands_twice_with_one_content_is_a_duplicate(
    shorts: Dataset, context: SessionContext, received: Received, short_page: Page
) -> None:
    body = short_page("20130301|A|1|0|2|N", "20130301|A|1.0|0|2.000|N", "20130301|B|1|0|2|N", "20130301|A|1|0|2|N")
    staged = stage(shorts, [received(body, LATE)], None, context)
    assert counts(staged) == {"new": 2, "duplicate": 2}
    assert staged.versions["short_volume"].select("symbol", "record").rows() == [("A", 0), ("B", 2)]


@pytest.mark.parametrize(
    "other", ["20130301|A|2|0|2|N", "20130301|A|1||2|N", "20130301|A|1|x|2|N", "20130301|A|9|0|2|N"]
)
def test_key_that_stands_twice_with_two_contents_is_quarantined_whole(
    shorts: Dataset, context: SessionContext, received: Received, short_page: Page, other: str
) -> None:
    body = short_page("20130301|A|1|0|2|N", "20130301|B|1|0|2|N", other)
    staged = stage(shorts, [received(body, LATE)], None, context)
    assert counts(staged) == {"new": 1, "quarantined": 2}
    assert all("conflicting_duplicate" in rules for _, rules in quarantined(staged))


def test_value_that_cannot_be_read_is_no_equal_of_a_missing_one(
    shorts: Dataset, context: SessionContext, received: Received, short_page: Page
) -> None:
    body = short_page("20130301|A|1|x|2|N", "20130301|A|1||2|N")
    staged = stage(shorts, [received(body, LATE)], None, context)
    assert counts(staged) == {"quarantined": 2}


def test_session_that_json_names_twice_is_not_lost(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page
) -> None:
    body = price_page({"2013-03-01": {}, "2013-02-28": RESTATED_CLOSE}).replace(b"2013-02-28", b"2013-03-01")
    staged = stage(prices, [received(body, LATE, IBM)], None, context)
    assert counts(staged) == {"quarantined": 2}
    assert quarantined(staged) == [("bars", ["conflicting_duplicate"])] * 2


def test_incremental_staging_refuses_what_is_not_later(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page
) -> None:
    known = stage(prices, [received(price_page({"2013-03-01": {}}), LATER, IBM)], None, context)
    for at in (LATE, LATER):
        with pytest.raises(ContractError, match="is not later than"):
            stage(prices, [received(price_page({"2013-03-01": {}}), at, IBM)], known.versions, context)


def test_incremental_staging_takes_any_versions_that_contain_the_latest(
    prices: Dataset, context: SessionContext, received: Received, price_page: Page
) -> None:
    closes = ["11.0", "11.5", "11.0"]
    objects = [
        received(price_page({"2013-03-01": {"4. close": close}}), LATE + timedelta(days=n), IBM)
        for n, close in enumerate(closes)
    ]
    known = stage(prices, objects[:2], None, context).versions
    assert stage(prices, objects[2:], known, context).versions["bars"]["close"].to_list() == [11.0]


def test_batches_do_not_show(
    prices: Dataset,
    context: SessionContext,
    received: Received,
    price_page: Page,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    objects = [
        received(price_page({"2013-03-01": {"4. close": close}, "2013-03-02": {}}), LATE + timedelta(days=n), IBM)
        for n, close in enumerate(("11.0", "11.5", "x", "11.0"))
    ]
    whole = stage(prices, objects, None, context)
    monkeypatch.setattr(stage_module, "_BATCH_RECORDS", 1)
    parts = stage(prices, objects, None, context)
    assert parts.accounts.equals(whole.accounts)
    assert parts.quarantine.equals(whole.quarantine)
    assert parts.versions["bars"].equals(whole.versions["bars"])
