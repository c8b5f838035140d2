"""Logging is configured here, once, at an edge (CLI or code server)."""

from __future__ import annotations

import logging
import sys

from finpipe.redaction import RedactingFilter, Redactor


def configure(level: str, redactor: Redactor) -> None:
    """Send finpipe's records to standard error as one line each, without secrets.

    Args:
        level: A name of the logging module: DEBUG, INFO, WARNING, ERROR.
        redactor: Knows the secrets of every source.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    handler.addFilter(RedactingFilter(redactor))
    root = logging.getLogger("finpipe")
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.propagate = False
    # These write whole URLs, keys included, at INFO.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
