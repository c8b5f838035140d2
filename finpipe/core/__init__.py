"""One truth per fact over all sources: instruments, versions, what was known when, adjusted prices.

Here belongs what joins sources and times. A provider's format is staging's, a formula over prices is the
metrics'. Frames in, frames out: nothing here reads or writes, and rows in any order give the same answer.
"""

from finpipe.core.adjust import Adjustment, adjusted, unusable_actions, with_factors
from finpipe.core.as_of import Basis, as_of
from finpipe.core.gaps import with_gaps
from finpipe.core.instruments import instrument_id, provisional, with_instruments
from finpipe.core.unify import core_table, unify

__all__ = [
    "Adjustment",
    "Basis",
    "adjusted",
    "as_of",
    "core_table",
    "instrument_id",
    "provisional",
    "unify",
    "unusable_actions",
    "with_factors",
    "with_gaps",
    "with_instruments",
]
