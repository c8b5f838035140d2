"""Every report by name."""

from __future__ import annotations

from finpipe.errors import UnknownName
from finpipe.reports.data_health import DATA_HEALTH
from finpipe.reports.insights import INSIGHTS
from finpipe.reports.market_summary import MARKET_SUMMARY
from finpipe.reports.movers import MOVERS
from finpipe.schemas import Table

REPORTS = {table.name: table for table in (MARKET_SUMMARY, MOVERS, INSIGHTS, DATA_HEALTH)}


def report_table(name: str) -> Table:
    """What the report of that name holds.

    Raises:
        UnknownName: There is none; lists those there are.
    """
    if name not in REPORTS:
        raise UnknownName("report", name, REPORTS)
    return REPORTS[name]
