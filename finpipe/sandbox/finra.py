"""FINRA's daily short sale volume files: pipe text with a trailer, and the file server's refusal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import format_datetime
from hashlib import md5

import polars as pl

from finpipe.sandbox.short_volume import short_volumes
from finpipe.sandbox.trading_day import TradingDay, published_at
from finpipe.sandbox.world import World

HEADER = "Date|Symbol|ShortVolume|ShortExemptVolume|TotalVolume|Market"
_FILE_NAME = re.compile(r"CNMSshvol(\d{8})\.txt")
_MICRO = 1_000_000
_MARKET = "B,Q,N"

ACCESS_DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message>"
    b"<RequestId>SANDBOX000000000</RequestId><HostId>sandbox</HostId></Error>"
)
"""A missing file and one not yet published look alike: the server does not say which files exist."""


@dataclass(frozen=True)
class PublishedFile:
    """A file as the server keeps it."""

    content: bytes
    published: datetime

    @property
    def headers(self) -> dict[str, str]:
        return {
            # A single-part object's ETag on S3 is the MD5 of its content.
            "ETag": f'"{md5(self.content, usedforsecurity=False).hexdigest()}"',
            "Last-Modified": format_datetime(self.published.astimezone(UTC), usegmt=True),
        }


def find_file(name: str, world: World, day: TradingDay, *, seed: int) -> PublishedFile | None:
    """The file of that name, or None: no such name, no such session, or not published yet."""
    session = _session_of(name)
    if session is None or session > day.final_through or session not in world.sessions:
        return None
    content = short_sale_file(world.traded_in(session), session=session, seed=seed)
    return PublishedFile(content, published_at(session))


def short_sale_file(bars: pl.DataFrame, *, session: date, seed: int) -> bytes:
    """Header, a line for each symbol and the number of records, each ended by CR LF.

    `bars` has symbol and volume of the session; `short_volumes` states what is made of them.
    """
    label = f"{session:%Y%m%d}"
    lines = [
        f"{label}|{symbol}|{_shares(short)}|{_shares(exempt)}|{_shares(total)}|{_MARKET}"
        for symbol, short, exempt, total in short_volumes(bars, session=session, seed=seed).iter_rows()
    ]
    return "\r\n".join([HEADER, *lines, str(len(lines)), ""]).encode()


def _session_of(name: str) -> date | None:
    match = _FILE_NAME.fullmatch(name)
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None


def _shares(micros: int) -> str:
    whole, rest = divmod(micros, _MICRO)
    return f"{whole}.{rest:06d}" if rest else str(whole)
