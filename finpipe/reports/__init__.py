"""Report tables: what a reader looks at first. Frames in, report frame out.

Here belongs what is counted, ranked, said or judged about metrics and bars, for every session at once.
A formula over prices is the metrics'; reading, writing and delivering are others'. A report is described
by a `Table` as every table is, so that stores, SQL and readers know its columns, units and key.
"""

from finpipe.reports.data_health import COUNTS, DatasetFacts, data_health
from finpipe.reports.insights import insights
from finpipe.reports.market_summary import market_summary
from finpipe.reports.movers import movers
from finpipe.reports.registry import REPORTS, report_table
from finpipe.reports.render import latest, to_json

__all__ = [
    "COUNTS",
    "REPORTS",
    "DatasetFacts",
    "data_health",
    "insights",
    "latest",
    "market_summary",
    "movers",
    "report_table",
    "to_json",
]
