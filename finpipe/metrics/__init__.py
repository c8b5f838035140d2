"""Metrics: Polars expressions, frames in, frames out.

Here belong formulas, one function each with its published reference, and the tables made of them.
Reading, writing and deciding which sessions are due belong to others.
"""

from finpipe.metrics.contract import Metric
from finpipe.metrics.daily import DAILY, daily_metrics
from finpipe.metrics.periods import Period, period_bars

__all__ = ["DAILY", "Metric", "Period", "daily_metrics", "period_bars"]
