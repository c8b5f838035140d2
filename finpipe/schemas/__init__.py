"""The canonical tables: column, dtype, unit, key and rules, as data.

Here belongs what a table *is*. How rows are checked is staging's, how they are stored is the stores'.
"""

from finpipe.schemas.lineage import CORE_LINEAGE, DECLARED, LINEAGE, OBSERVED
from finpipe.schemas.table import Column, Rule, Table
from finpipe.schemas.tables import BARS, CORPORATE_ACTIONS, INSTRUMENTS, SHORT_VOLUME, STAGED, staged_table

__all__ = [
    "BARS",
    "CORE_LINEAGE",
    "CORPORATE_ACTIONS",
    "DECLARED",
    "INSTRUMENTS",
    "LINEAGE",
    "OBSERVED",
    "SHORT_VOLUME",
    "STAGED",
    "Column",
    "Rule",
    "Table",
    "staged_table",
]
