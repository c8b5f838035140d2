"""What New York's clock shows of a session."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from finpipe.sandbox.trading_day import TradingDay, published_at, trading_day

THURSDAY, FRIDAY = date(2013, 2, 28), date(2013, 3, 1)
SUMMER, SUMMER_EVE = date(2013, 7, 2), date(2013, 7, 1)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("2013-03-01T14:29:59", TradingDay(FRIDAY, THURSDAY, None), id="before the open"),
        pytest.param("2013-03-01T14:30:00", TradingDay(FRIDAY, THURSDAY, FRIDAY), id="open"),
        pytest.param("2013-03-01T22:59:59", TradingDay(FRIDAY, THURSDAY, FRIDAY), id="closed, not published"),
        pytest.param("2013-03-01T23:00:00", TradingDay(FRIDAY, FRIDAY, None), id="published"),
        pytest.param("2013-03-02T00:30:00", TradingDay(FRIDAY, FRIDAY, None), id="next day in UTC"),
        pytest.param("2013-07-02T13:30:00", TradingDay(SUMMER, SUMMER_EVE, SUMMER), id="open in daylight time"),
    ],
)
def test_trading_day_at(now: str, expected: TradingDay) -> None:
    assert trading_day(datetime.fromisoformat(now).replace(tzinfo=UTC)) == expected


@pytest.mark.parametrize(("session", "hour"), [(FRIDAY, 23), (SUMMER, 22)])
def test_published_at_is_six_in_the_evening_of_new_york(session: date, hour: int) -> None:
    assert published_at(session).astimezone(UTC) == datetime(session.year, session.month, session.day, hour, tzinfo=UTC)
