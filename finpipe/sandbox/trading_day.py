"""What New York's clock lets a provider show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
OPENS = time(9, 30)
PUBLISHED = time(18, 0)


@dataclass(frozen=True)
class TradingDay:
    """The virtual day: sessions up to `final_through` are published, `running` is traded and not final."""

    today: date
    final_through: date
    running: date | None


def trading_day(now: datetime) -> TradingDay:
    """The day of an instant: a session runs from 09:30 and is final from 18:00, New York time."""
    local = now.astimezone(NEW_YORK)
    today = local.date()
    if local.time() >= PUBLISHED:
        return TradingDay(today, today, None)
    return TradingDay(today, today - timedelta(days=1), today if local.time() >= OPENS else None)


def published_at(session: date) -> datetime:
    """When a session's files appear."""
    return datetime.combine(session, PUBLISHED, tzinfo=NEW_YORK)
