"""A sandbox and homes that know it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from finpipe.fetch import FetchOutcome
from finpipe.home import Home
from finpipe.pipeline.build import build_all
from finpipe.pipeline.fetch import fetch_partitions
from finpipe.pipeline.workspace import SandboxState, Workspace
from finpipe.sandbox.options import SandboxOptions
from finpipe.sandbox.packaged import packaged_bars
from finpipe.sandbox.server import RunningSandbox, start_in_thread
from finpipe.settings import Profile, Settings

# Limits are the fetch tests' subject; here they would only cost time.
FAST = 100_000.0


@pytest.fixture(scope="session")
def bars_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real bars, cut: AAPL around its split of 2005, the others for the 19 months before March 2013."""
    path = tmp_path_factory.mktemp("world") / "bars.parquet"
    session, symbol = pl.col("date"), pl.col("symbol")
    around_split = (symbol == "AAPL") & session.is_between(date(2004, 1, 2), date(2005, 4, 1))
    newest = (symbol != "AAPL") & (session >= date(2011, 8, 1))
    packaged_bars().rename({"session": "date"}).filter(around_split | newest).write_parquet(path)
    return path


@pytest.fixture(scope="session")
def sandbox(bars_file: Path) -> Iterator[RunningSandbox]:
    options = SandboxOptions(port=0, time_scale=FAST, bars=bars_file, plans={"alpha_vantage": "premium"})
    with start_in_thread(options) as running:
        yield running


class Homes:
    """Makes homes of the dev profile that know the sandbox."""

    def __init__(self, root: Path, sandbox: RunningSandbox) -> None:
        self.root, self.sandbox, self._made = root, sandbox, 0

    def new(self, symbols: list[str], *, now: datetime | None = None) -> Workspace:
        """An empty home that follows `symbols`; its clock begins at `now` (the sandbox's, when None)."""
        self._made += 1
        home = Home.open(self.root / f"home{self._made}", Profile.DEV)
        home.universe.write_text("\n".join(symbols))
        return self.opened(home, now=now)

    def opened(self, home: Home, *, now: datetime | None = None) -> Workspace:
        """A home opened (again), at another time if wanted."""
        offset = (now or self.sandbox.now) - datetime.now(UTC)
        windows = [{"limit": 75, "period": "1m"}]
        overlay = {"alpha_vantage": {"limits": {"windows": windows, "quota": [], "concurrency": 4}}}
        SandboxState(self.sandbox.state.base_url, offset.total_seconds(), FAST, overlay).write(home)
        settings = replace(Settings.read(), home=home.root)
        return Workspace.open(settings)


@pytest.fixture
def homes(tmp_path: Path, sandbox: RunningSandbox) -> Homes:
    return Homes(tmp_path, sandbox)


Fetch = Callable[..., list[FetchOutcome]]


@pytest.fixture
def fetch() -> Fetch:
    """Fetch days of datasets into a home."""

    def run(
        workspace: Workspace, selection: str, first: date, last: date, *, refresh: bool = False
    ) -> list[FetchOutcome]:
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        chosen = workspace.catalogue.select(selection)
        return asyncio.run(fetch_partitions(workspace, chosen, days, refresh=refresh))

    return run


@pytest.fixture
def build() -> Callable[[Workspace], dict[str, dict[str, int | str]]]:
    """Run every step after the fetch."""
    return lambda workspace: {name: dict(told) for name, told in build_all(workspace)}
