"""Names of the lake's tables."""

from __future__ import annotations

from finpipe.schemas import BARS, CORPORATE_ACTIONS, SHORT_VOLUME
from finpipe.sources.spec import Dataset, Source

INSTRUMENTS = "core/instruments"

# Canonical table -> core table. Bars of another cadence will be a table of their own.
CORE = {
    BARS.name: "core/bars_daily",
    CORPORATE_ACTIONS.name: "core/corporate_actions",
    SHORT_VOLUME.name: "core/short_volume",
}


def staged(source: Source, dataset: Dataset, table: str) -> str:
    """A table of one dataset: a canonical one, `accounts` or `quarantine`."""
    return f"staging/{source.name}/{dataset.name}/{table}"


def metrics(frequency: str) -> str:
    """The metrics of a frequency: daily, weekly, monthly."""
    return f"metrics/{frequency}"


def report(name: str) -> str:
    """A report's table."""
    return f"reports/{name}"
