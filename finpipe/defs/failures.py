"""What ends an asset's run: a mistake of the user, the disk, a bug. Never a source's trouble."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from finpipe.errors import FinpipeError


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn an error raised on purpose into a failure with its one line; trying again would not mend it."""
    try:
        yield
    except FinpipeError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
