"""Keeps secrets out of everything that is written down: bodies, receipts, logs, messages."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MARK = "***"


class Redactor:
    """Replaces known secrets, also where they stand URL-encoded, in base64 or in JSON."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # Longest first: a secret may hold another.
        forms = {form for secret in secrets if secret for form in _forms(secret)}
        self._forms = sorted(forms, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without any known secret."""
        for form in self._forms:
            text = text.replace(form, MARK)
        return text

    def body(self, body: bytes) -> bytes:
        """The bytes without any known secret; the same object when none was found."""
        for form in self._forms:
            if (needle := form.encode()) in body:
                body = body.replace(needle, MARK.encode())
        return body


class RedactingFilter(logging.Filter):
    """Logging filter that removes known secrets from a record's message."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        clean = self._redactor.text(record.getMessage())
        if clean != record.getMessage():
            record.msg, record.args = clean, ()
        return True


def _forms(secret: str) -> set[str]:
    encoded = base64.b64encode(secret.encode()).decode()
    as_json = json.dumps(secret, ensure_ascii=False)[1:-1]
    return {secret, quote(secret, safe=""), quote_plus(secret), encoded, as_json}
