"""Where the state of limits is kept, so that all who ask a source share it.

Here belong the stores (memory for one process, SQLite for one host) and what they promise. The rules
themselves are `fetch.policy`, waiting for a slot is `fetch.gate`.
"""

from finpipe.fetch.limits.memory import MemoryLimits
from finpipe.fetch.limits.sqlite import SqliteLimits
from finpipe.fetch.limits.store import LimitStore, QuotaUse

__all__ = ["LimitStore", "MemoryLimits", "QuotaUse", "SqliteLimits"]
