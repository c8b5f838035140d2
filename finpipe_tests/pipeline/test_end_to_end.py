"""Fetch to report against the sandbox, without Dagster."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from datetime import UTC, date, datetime

import polars as pl
import pytest

from finpipe.pipeline.core import read_core
from finpipe.pipeline.health import fetched, freshness, is_accounted, read_accounts
from finpipe.pipeline.measure import daily_target, read_current
from finpipe.pipeline.report import read_report
from finpipe.pipeline.workspace import Workspace
from finpipe.sandbox.server import RunningSandbox
from finpipe.stores.lake import Lake
from finpipe.stores.sql import SqlEngine

pytestmark = pytest.mark.integration

LAST = date(2013, 3, 1)
FEBRUARY = (date(2013, 2, 1), LAST)


def post(sandbox: RunningSandbox, path: str, **body: object) -> None:
    request = urllib.request.Request(f"{sandbox.base_url}{path}", json.dumps(body).encode(), method="POST")  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - the sandbox on loopback
        assert answer.status == 200


def metrics_of(workspace: Workspace) -> pl.DataFrame:
    target = daily_target()
    return workspace.lake.table(target.name).read(target.schema).sort(target.key)


def test_first_request_of_a_symbol_brings_its_whole_history(homes, fetch, build) -> None:
    workspace = homes.new(["IBM", "FB"])
    (outcome,) = fetch(workspace, "alpha_vantage", *FEBRUARY)
    assert (outcome.sent, outcome.done, outcome.is_complete) == (2, 2, True)
    build(workspace)
    spans = read_current(workspace, "bars").group_by("symbol").agg(pl.len(), pl.col("session").min().alias("first"))
    assert sorted(spans.rows()) == [("FB", 196, date(2012, 5, 18)), ("IBM", 398, date(2011, 8, 1))]


def test_second_run_sends_nothing_and_changes_no_table(
    homes, fetch, build, fingerprints: Callable[[Lake], dict[str, str]], sandbox: RunningSandbox
) -> None:
    workspace = homes.new(["IBM", "MSFT"])
    for source in ("alpha_vantage", "finra_short_volume"):
        fetch(workspace, source, *FEBRUARY)
    build(workspace)
    before, versions = (
        fingerprints(workspace.lake),
        {n: workspace.lake.table(n).version() for n in workspace.lake.names()},
    )
    arrived = len(sandbox.arrivals())
    again = homes.opened(workspace.home)
    for source in ("alpha_vantage", "finra_short_volume"):
        assert [o.sent for o in fetch(again, source, *FEBRUARY)] == [0]
    build(again)
    assert len(sandbox.arrivals()) == arrived
    assert fingerprints(again.lake) == before
    assert {n: again.lake.table(n).version() for n in again.lake.names()} == versions
    assert len(before) > 12


def test_every_record_of_every_raw_object_is_accounted_for(homes, fetch, build) -> None:
    workspace = homes.new(["MSFT"])
    for source, dataset in workspace.catalogue.datasets():
        fetch(workspace, source.name, *FEBRUARY)
        build(workspace)
        assert is_accounted(workspace, source, dataset)
        assert read_accounts(workspace, source, dataset)["records"].sum() > 0
        assert freshness(workspace, source, dataset).is_fresh
        assert fetched(workspace, source, dataset, [LAST]).is_complete


def test_order_of_runs_does_not_change_a_table(homes, fetch, build, fingerprints) -> None:
    """Days asked one by one, backwards and with builds between, against all at once."""
    at_once, piecemeal = homes.new(["FB"]), homes.new(["FB"])
    fetch(at_once, "finra_short_volume", *FEBRUARY)
    fetch(at_once, "alpha_vantage", *FEBRUARY)
    build(at_once)
    for day in (28, 12, 25):
        fetch(piecemeal, "finra_short_volume", date(2013, 2, day), date(2013, 2, day))
        build(piecemeal)
    fetch(piecemeal, "alpha_vantage", LAST, LAST)
    build(piecemeal)
    fetch(piecemeal, "finra_short_volume", *FEBRUARY)
    build(piecemeal)
    same = {name for name in fingerprints(at_once.lake) if name.startswith(("metrics", "reports/m"))}
    assert same == {"metrics/daily", "metrics/monthly", "metrics/weekly", "reports/market_summary", "reports/movers"}
    left, right = fingerprints(at_once.lake), fingerprints(piecemeal.lake)
    assert {name: left[name] for name in same} == {name: right[name] for name in same}


def test_split_changes_no_stored_value_before_it_and_levels_compare_with_their_own_closes(homes, fetch, build) -> None:
    before_split = homes.new(["AAPL"], now=datetime(2005, 2, 26, 1, tzinfo=UTC))
    post(homes.sandbox, "/_sandbox/now", now="2005-02-26T01:00:00+00:00")
    fetch(before_split, "alpha_vantage", date(2005, 1, 3), date(2005, 2, 25))
    build(before_split)
    stored = metrics_of(before_split).filter(pl.col("session") < date(2005, 2, 26))
    post(homes.sandbox, "/_sandbox/now", now="2005-04-01T01:00:00+00:00")
    after_split = homes.opened(before_split.home, now=datetime(2005, 4, 1, 1, tzinfo=UTC))
    fetch(after_split, "alpha_vantage", date(2005, 2, 28), date(2005, 3, 31))
    build(after_split)
    post(homes.sandbox, "/_sandbox/now", now="2013-03-02T00:30:00+00:00")
    now_stored = metrics_of(after_split)
    assert now_stored.filter(pl.col("session") < date(2005, 2, 26)).equals(stored)
    assert len(stored) == 290
    march = now_stored.filter(pl.col("session").is_between(date(2005, 3, 1), date(2005, 3, 31)))
    assert march["close"].max() < 50 < stored["close"].max()
    assert march.select((pl.col("sma_20") / pl.col("close") - 1).abs().max()).item() < 0.1
    assert march.select((pl.col("high_52w") / pl.col("close") - 1).max()).item() < 0.3


def test_restatement_is_a_new_version_and_as_of_returns_what_stood_before(homes, fetch, build) -> None:
    evening = datetime(2013, 3, 2, 0, 30, tzinfo=UTC)
    workspace = homes.new(["MSFT"], now=evening)
    fetch(workspace, "alpha_vantage", *FEBRUARY)
    build(workspace)
    day = date(2013, 2, 20)
    first = read_current(workspace, "bars").filter(pl.col("session") == day)
    post(homes.sandbox, "/_sandbox/restate", symbol="MSFT", session=str(day), field="volume", value=12345.0)
    later = homes.opened(workspace.home, now=datetime(2013, 3, 2, 6, tzinfo=UTC))
    fetch(later, "alpha_vantage", LAST, LAST, refresh=True)
    told = build(later)
    assert told["staging/alpha_vantage/daily_adjusted"]["restated"] == 1
    versions = read_core(later, "bars").filter(pl.col("session") == day).sort("receipt")
    assert versions["volume"].to_list() == [first["volume"].item(), 12345.0]
    assert versions["knowledge_basis"].to_list() == ["declared", "observed"]
    moment = versions["knowledge_time"][1]
    for instant, expected in ((evening, first["volume"].item()), (moment, 12345.0), (None, 12345.0)):
        assert read_current(later, "bars", instant).filter(pl.col("session") == day)["volume"].item() == expected
        answer = SqlEngine(later.lake, as_of=instant).query(f"select volume from bars where session = '{day}'")  # noqa: S608
        assert answer.item() == expected
    before = read_report(later, "movers", as_of=evening, history=True).rows.filter(pl.col("session") == day)
    after = read_report(later, "movers", history=True).rows.filter(pl.col("session") == day)
    assert before["volume"].to_list() != after["volume"].to_list()


def test_report_as_of_uses_nothing_known_later(homes, fetch, build) -> None:
    """The report as of last October equals the one of a home whose world ended then."""
    moment = datetime(2012, 10, 2, tzinfo=UTC)
    whole = homes.new(["MSFT", "IBM"])
    fetch(whole, "alpha_vantage", LAST, LAST)
    build(whole)
    post(homes.sandbox, "/_sandbox/now", now=moment.isoformat())
    ended = homes.new(["MSFT", "IBM"], now=moment)
    fetch(ended, "alpha_vantage", date(2012, 10, 1), date(2012, 10, 1))
    build(ended)
    post(homes.sandbox, "/_sandbox/now", now="2013-03-02T00:30:00+00:00")
    for name in ("market_summary", "movers", "insights"):
        then, now = (
            read_report(home, name, as_of=t, history=True).rows for home, t in ((whole, moment), (ended, None))
        )
        traced = [column for column in then.columns if column != "receipts"]
        assert then.select(traced).equals(now.select(traced))
        assert not then.is_empty()


def test_running_bar_is_never_stored(homes, fetch, build) -> None:
    noon = datetime(2013, 2, 28, 17, tzinfo=UTC)
    post(homes.sandbox, "/_sandbox/now", now=noon.isoformat())
    workspace = homes.new(["IBM"], now=noon)
    fetch(workspace, "alpha_vantage", date(2013, 2, 27), date(2013, 2, 28))
    told = build(workspace)
    post(homes.sandbox, "/_sandbox/now", now="2013-03-02T00:30:00+00:00")
    assert told["staging/alpha_vantage/daily_adjusted"]["not_final"] == 1
    assert read_current(workspace, "bars")["session"].max() == date(2013, 2, 27)
