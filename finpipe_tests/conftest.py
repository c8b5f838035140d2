"""Fixtures every folder may use."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, settings

from finpipe.stores.lake import Lake

# Machines are noisy: a deadline would test them, not finpipe.
settings.register_profile("finpipe", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("finpipe")

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _no_settings_of_the_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads the developer's own home, profile or keys."""
    for variable in ("FINPIPE_PROFILE", "FINPIPE_SOURCES", "FINPIPE_START", "FINPIPE_SCHEDULES", "ALPHA_VANTAGE_KEY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("FINPIPE_HOME", str(tmp_path / "home"))


@pytest.fixture
def shared_data() -> Path | None:
    """Recorded responses and real prices beside the checkout; None where there are none."""
    folder = ROOT.parent / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def fingerprints() -> Callable[[Lake], dict[str, str]]:
    """Tells the content of every table of a lake: sha256 over its rows, sorted, whatever files they lie in."""
    return fingerprints_of


def fingerprints_of(lake: Lake) -> dict[str, str]:
    return {name: _fingerprint(lake, name) for name in lake.names()}


def _fingerprint(lake: Lake, name: str) -> str:
    table = lake.table(name)
    rows = table.read(table.snapshot().empty.drop("month").schema)
    texts = [
        (pl.col(column).list.join(",") if isinstance(dtype, pl.List) else pl.col(column).cast(pl.String)).fill_null(
            "\0"
        )
        for column, dtype in rows.schema.items()
    ]
    lines = rows.select(pl.concat_str(texts, separator="\1")).to_series().sort()
    return hashlib.sha256("\n".join([repr(rows.schema), *lines]).encode()).hexdigest()
