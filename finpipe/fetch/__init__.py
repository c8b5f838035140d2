"""The API manager: asks many sources, each at its own pace, and keeps whatever they say.

Here belong planning, limits, the gate, transports, judging answers, the ledger and the engine. Knowledge of
any one source is in its file; what a body's records mean is staging's.
"""

from finpipe.fetch.classify import Outcome, Verdict, classify
from finpipe.fetch.engine import Progress
from finpipe.fetch.ledger import Entry, Ledger, RequestState
from finpipe.fetch.limits import LimitStore, MemoryLimits, QuotaUse, SqliteLimits
from finpipe.fetch.manager import ApiManager, FetchOutcome
from finpipe.fetch.planner import Ask, available_at, last_due
from finpipe.fetch.policy import Rules

__all__ = [
    "ApiManager",
    "Ask",
    "Entry",
    "FetchOutcome",
    "Ledger",
    "LimitStore",
    "MemoryLimits",
    "Outcome",
    "Progress",
    "QuotaUse",
    "RequestState",
    "Rules",
    "SqliteLimits",
    "Verdict",
    "available_at",
    "classify",
    "last_due",
]
