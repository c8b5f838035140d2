"""The application: gate, providers and controls, asked without a socket."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from finpipe.sandbox.app import source_of
from finpipe.sandbox.limits import DailyQuota, Window

Open = Callable[..., Any]
QUERY = "/alpha_vantage/query?function=TIME_SERIES_DAILY_ADJUSTED&symbol=AAA&apikey=s3cret"
FILES = "/finra_short_volume/equity/regsho/daily"


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("/alpha_vantage/query", "alpha_vantage"),
        ("/finra_short_volume/equity", "finra_short_volume"),
        ("/plain/a/b/c", "plain/a"),
        ("/plain/a", "plain/a"),
        ("/plain/", None),
        ("/plain", None),
        ("/_sandbox/state", None),
        ("/", None),
    ],
)
def test_source_of(path: str, source: str | None) -> None:
    assert source_of(path) == source


def test_alpha_vantage_answers_200_within_its_limits_and_beyond(open_client: Open) -> None:
    client = open_client()
    first, second = client.get(QUERY), client.get(QUERY)
    assert list(first.json()) == ["Meta Data", "Time Series (Daily)"]
    assert list(second.json()) == ["Information"]
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.headers["content-type"] == "application/json"
    assert "retry-after" not in second.headers


def test_alpha_vantage_spends_25_a_day_and_has_25_more_the_next(open_client: Open) -> None:
    client = open_client()

    def ask() -> str:
        client.clock.advance(61)
        return str(next(iter(client.get(QUERY).json())))

    assert [ask() for _ in range(26)] == ["Meta Data"] * 25 + ["Information"]
    # Midnight in New York, not in UTC.
    client.post("/_sandbox/now", now="2013-03-02T04:50:00Z")
    assert ask() == "Information"
    client.post("/_sandbox/now", now="2013-03-02T05:00:00Z")
    assert ask() == "Meta Data"


def test_premium_plan_takes_30_in_a_minute_of_one_day(open_client: Open) -> None:
    client = open_client(plans={"alpha_vantage": "premium"})
    assert {next(iter(client.get(QUERY).json())) for _ in range(30)} == {"Meta Data"}


def test_finra_serves_refuses_and_does_not_say_which_files_exist(open_client: Open) -> None:
    client = open_client(limits={"finra_short_volume": (Window(3, 1.0),)})
    served, saturday, absent, refused = (
        client.get(f"{FILES}/{name}")
        for name in ("CNMSshvol20130301.txt", "CNMSshvol20130302.txt", "index.html", "CNMSshvol20130301.txt")
    )
    assert served.status_code == 200
    assert (saturday.status_code, saturday.content) == (absent.status_code, absent.content)
    assert saturday.status_code == 403
    assert b"<Code>AccessDenied</Code>" in saturday.content
    assert refused.status_code == 429
    assert "retry-after" not in refused.headers


def test_finra_answers_304_to_who_has_that_version(open_client: Open) -> None:
    client = open_client(limits={"finra_short_volume": ()})
    url = f"{FILES}/CNMSshvol20130301.txt"
    etag = client.get(url).headers["etag"]
    again = client.get(url, **{"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert client.get(url, **{"If-None-Match": '"another"'}).status_code == 200


def test_plain_source_has_its_own_limit_and_says_when_to_come_again(open_client: Open) -> None:
    client = open_client(limits={"plain/a": (Window(2, 120.0),)}, time_scale=10.0)
    assert [client.get("/plain/a/x/y").json() for _ in range(2)] == [{"path": "/plain/a/x/y", "n": n} for n in (1, 2)]
    client.clock.advance(0.5)
    refused = client.get("/plain/a/x/y")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "12")
    assert [client.get("/plain/b/x").json()["n"] for _ in range(3)] == [1, 2, 3]


def test_time_scale_shortens_every_window(open_client: Open) -> None:
    client = open_client(time_scale=60.0, limits={"alpha_vantage": (Window(1, 1.0), Window(5, 60.0))})
    for _ in range(5):
        client.get(QUERY)
        client.clock.advance(0.02)
    assert [noted.violation for noted in client.arrivals()] == [False] * 5
    client.get(QUERY)
    assert client.arrivals()[-1].violation
    client.clock.advance(1.0)
    client.get(QUERY)
    assert not client.arrivals()[-1].violation


def test_arrivals_state_what_came_when_and_not_the_key(open_client: Open) -> None:
    client = open_client(limits={"plain/a": (Window(1, 1.0),)})
    client.get(QUERY)
    client.clock.advance(2)
    client.get("/plain/a/x?q=1")
    client.get("/plain/a/x")
    client.get("/_sandbox/state")
    listed = client.get("/_sandbox/arrivals").json()
    assert [(noted["source"], noted["status"], noted["violation"], noted["in_window"]) for noted in listed] == [
        ("alpha_vantage", 200, False, 1),
        ("plain/a", 200, False, 1),
        ("plain/a", 429, True, 2),
    ]
    assert "s3cret" not in str(listed)
    assert listed[1]["monotonic"] - listed[0]["monotonic"] == 2
    assert listed[1]["virtual_time"] == "2013-03-02T00:30:02+00:00"
    assert [noted["path"] for noted in listed[1:]] == ["/plain/a/x?q=1", "/plain/a/x"]
    assert len(client.get("/_sandbox/arrivals?source=plain/a").json()) == 2


def test_a_source_made_to_fail_answers_500_and_others_do_not(open_client: Open) -> None:
    client = open_client(fail=frozenset({"alpha_vantage"}))
    assert client.get(QUERY).status_code == 500
    assert client.get(f"{FILES}/CNMSshvol20130301.txt").status_code == 200
    assert [noted.status for noted in client.arrivals("alpha_vantage")] == [500]


def test_latency_passes_before_a_source_answers_and_not_before_a_control(
    open_client: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def note(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("finpipe.sandbox.app.asyncio.sleep", note)
    client = open_client(latency_seconds=0.25)
    client.get("/plain/a/x")
    client.get("/_sandbox/state")
    assert slept == [0.25]


def test_answers_bear_the_virtual_date(open_client: Open) -> None:
    client = open_client()
    client.clock.advance(5)
    assert parsedate_to_datetime(client.get("/plain/a/x").headers["date"]) == datetime(2013, 3, 2, 0, 30, 5, tzinfo=UTC)


def test_state_says_what_is_served_and_how_strictly(open_client: Open) -> None:
    client = open_client(time_scale=60.0, limits={"plain/a": (Window(1, 2.0), DailyQuota(9))})
    state = client.get("/_sandbox/state").json()
    assert state["symbols"] == ["AAA", "BBB"]
    assert (state["first_session"], state["last_session"]) == ("2013-02-27", "2013-03-01")
    assert (state["now"], state["time_scale"]) == ("2013-03-02T00:30:00+00:00", 60.0)
    assert state["plans"] == {"alpha_vantage": "free", "finra_short_volume": "free"}
    assert state["limits"]["plain/a"] == [
        {"limit": 1, "period_seconds": 2.0},
        {"limit": 9, "per": "day", "timezone": "America/New_York"},
    ]


def test_restated_value_is_served_from_then_on(open_client: Open) -> None:
    client = open_client(limits={"alpha_vantage": ()})
    done = client.post("/_sandbox/restate", symbol="AAA", session="2013-02-28", field="close", value=99.5)
    assert done.status_code == 200
    assert client.get(QUERY).json()["Time Series (Daily)"]["2013-02-28"]["4. close"] == "99.5000"


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"symbol": "ZZZ", "session": "2013-02-28", "field": "close", "value": 1},
        {"symbol": "AAA", "session": "2013-02-30", "field": "close", "value": 1},
        {"symbol": "AAA", "session": 20130228, "field": "close", "value": 1},
        {"symbol": "AAA", "session": "2013-02-28", "field": "symbol", "value": 1},
        {"symbol": "AAA", "session": "2013-02-28", "field": "close", "value": "1"},
        {"symbol": "AAA", "session": "2013-02-28", "field": "close", "value": True},
    ],
)
def test_restate_refuses_and_says_what_it_takes(open_client: Open, asked: dict[str, object]) -> None:
    refused = open_client().post("/_sandbox/restate", **asked)
    assert refused.status_code == 400
    assert "expected" in refused.json()["error"]


@pytest.mark.parametrize("now", [None, "soon", 5, "2013-03-02T00:30:00"])
def test_now_refuses_what_is_no_instant(open_client: Open, now: object) -> None:
    assert open_client().post("/_sandbox/now", now=now).status_code == 400


def test_moving_now_shows_the_next_sessions_and_keeps_the_limits_clock(open_client: Open) -> None:
    client = open_client(now=datetime(2013, 2, 28, 23, tzinfo=UTC), limits={"alpha_vantage": (Window(1, 1.0),)})
    assert "2013-03-01" not in client.get(QUERY).json()["Time Series (Daily)"]
    moved = client.post("/_sandbox/now", now="2013-03-01T23:00:00Z").json()
    assert moved == {"now": "2013-03-01T23:00:00+00:00", "now_offset_seconds": 86400.0}
    assert list(client.get(QUERY).json()) == ["Information"]
    client.clock.advance(1)
    assert "2013-03-01" in client.get(QUERY).json()["Time Series (Daily)"]


@pytest.mark.parametrize("path", ["/", "/nothing", "/alpha_vantage/other", "/plain/", "/_sandbox/other"])
def test_what_is_not_there_is_404(open_client: Open, path: str) -> None:
    assert open_client().get(path).status_code == 404
