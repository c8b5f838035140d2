"""What raw objects say, each taken alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from finpipe.sources.spec import Dataset
from finpipe.staging.decode import decode
from finpipe.staging.observe import Delivery, Observed, SessionContext, observe

Page = Callable[..., bytes]


def observed(dataset: Dataset, bodies: list[bytes], context: SessionContext | None, **asked: object) -> Observed:
    item = {"symbol": "IBM"} if dataset.for_each else {}
    deliveries = [Delivery(n, decode(dataset.response, body), item, **asked) for n, body in enumerate(bodies)]  # type: ignore[arg-type]  # dates by name
    return observe(dataset, deliveries, context)


def test_observe_takes_every_date_for_a_session_without_a_calendar(prices: Dataset, price_page: Page) -> None:
    bars = observed(prices, [price_page({"2013-03-02": {}})], None).observations["bars"]
    assert bars["session"].to_list() == [date(2013, 3, 2)]


def test_observe_compares_records_within_one_body_only(shorts: Dataset, short_page: Page) -> None:
    found = observed(shorts, [short_page("20130301|A|1|0|2|N"), short_page("20130301|A|2|0|2|N")], None)
    assert found.observations["short_volume"].select("number", "short_volume").rows() == [(0, 1.0), (1, 2.0)]
    assert found.quarantine.is_empty()


def test_observe_says_of_every_condition_whether_it_holds(prices: Dataset, price_page: Page) -> None:
    actions = observed(prices, [price_page({"2013-03-01": {"8. split coefficient": "2"}})], None).observations
    rows = actions["corporate_actions"].select("kind", "present", "ratio").rows()
    assert sorted(rows) == [("cash_dividend", False, None), ("split", True, 2.0)]


@pytest.mark.parametrize(("hour", "count"), [(22, 0), (23, 1)])
def test_observe_leaves_out_what_was_not_out_yet(
    prices: Dataset, price_page: Page, context: SessionContext, hour: int, count: int
) -> None:
    at = datetime(2013, 3, 1, hour, tzinfo=UTC)
    found = observed(prices, [price_page({"2013-03-01": {}})], context, received_at=at)
    assert found.observations["bars"].height == count
    assert found.standings.height == 3 * (1 - count)
