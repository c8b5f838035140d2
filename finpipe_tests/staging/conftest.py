"""What tests of staging share: the two shipped datasets, a calendar of weekdays, and makers of raw objects."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from finpipe.raw.receipt import Receipt
from finpipe.sources.reading import CATALOGUE, read_source
from finpipe.sources.spec import Dataset
from finpipe.staging.observe import SessionContext

FIXTURES = Path(__file__).parents[1] / "fixtures"
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "recorded"


@pytest.fixture(scope="session")
def prices() -> Dataset:
    """A window dataset: JSON, one item a symbol, bars with dividends and splits."""
    return read_source(CATALOGUE / "alpha_vantage.yaml").datasets[0]


@pytest.fixture(scope="session")
def shorts() -> Dataset:
    """A session dataset: a pipe-separated table with a trailer."""
    return read_source(CATALOGUE / "finra_short_volume.yaml").datasets[0]


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Short bodies of each source."""
    return FIXTURES


@pytest.fixture(scope="session")
def recorded() -> Path:
    """Bodies recorded from the real providers; the folder need not be there."""
    return RECORDED


@pytest.fixture(scope="session")
def context() -> SessionContext:
    """Every weekday is a session, available at 23:00 UTC of its date, with four hours of grace."""
    return SessionContext(
        available_at=lambda session: datetime.combine(session, time(23), UTC),
        is_session=lambda day: day.weekday() < 5,
        grace=timedelta(hours=4),
    )


@pytest.fixture(scope="session")
def received() -> Callable[..., tuple[Receipt, bytes]]:
    """Make a raw object: a body and its receipt."""

    def make(
        body: bytes,
        at: datetime,
        item: Mapping[str, str] | None = None,
        *,
        sessions: tuple[date, date] = (date(2013, 1, 1), date(2013, 12, 31)),
    ) -> tuple[Receipt, bytes]:
        receipt = Receipt(
            id=f"{at:%Y%m%dT%H%M%S%fZ}-00000000",
            source="source_x",
            dataset="daily",
            request="key",
            item=item or {},
            first=sessions[0],
            last=sessions[1],
            url="",
            status=200,
            headers={},
            asked_at=at,
            received_at=at,
            outcome="ok",
            sha256=hashlib.sha256(body).hexdigest(),
            length=len(body),
        )
        return receipt, body

    return make


@pytest.fixture(scope="session")
def price_page() -> Callable[..., bytes]:
    """Make a page of prices: session -> fields to change of a good record."""

    def make(records: Mapping[str, Mapping[str, Any]], symbol: str = "IBM") -> bytes:
        good = {
            "1. open": "10.0",
            "2. high": "12.0",
            "3. low": "9.0",
            "4. close": "11.0",
            "5. adjusted close": "5.5",
            "6. volume": "100",
            "7. dividend amount": "0.0000",
            "8. split coefficient": "1.0",
        }
        page = {session: {**good, **changes} for session, changes in records.items()}
        return orjson.dumps({"Meta Data": {"2. Symbol": symbol}, "Time Series (Daily)": page})

    return make


@pytest.fixture(scope="session")
def short_page() -> Callable[..., bytes]:
    """Make a file of short volumes from its rows, with a true trailer."""

    def make(*rows: str) -> bytes:
        header = "Date|Symbol|ShortVolume|ShortExemptVolume|TotalVolume|Market"
        return "\r\n".join([header, *rows, str(len(rows)), ""]).encode()

    return make
