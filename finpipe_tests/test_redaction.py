from __future__ import annotations

import base64
import json
import logging
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finpipe.redaction import RedactingFilter, Redactor

SECRETS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=4, max_size=24)


@given(SECRETS, st.text(max_size=20), st.text(max_size=20))
def test_redactor_removes_a_secret_in_every_form(secret: str, before: str, after: str) -> None:
    for form in (
        secret,
        quote(secret, safe=""),
        base64.b64encode(secret.encode()).decode(),
        json.dumps(secret, ensure_ascii=False)[1:-1],
    ):
        text = f"{before}{form}{after}"
        clean = Redactor([secret]).text(text)
        # What is left may hold the secret only where its neighbours happen to spell it.
        assert clean.count(form) <= before.count(form) + after.count(form) + ("***".count(form))
        assert Redactor([secret]).body(f"<{form}>".encode()) == b"<***>"


def test_redactor_removes_the_longer_of_two_nested_secrets_first() -> None:
    assert Redactor(["abc", "abcdef"]).text("x abcdef y abc") == "x *** y ***"


def test_redactor_leaves_a_clean_body_untouched() -> None:
    body = b'{"a": 1}'
    assert Redactor(["secret", ""]).body(body) is body


def test_redacting_filter_cleans_message_and_arguments(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("finpipe_tests.redaction")
    caplog.handler.addFilter(RedactingFilter(Redactor(["s3cret"])))
    logger.warning("asking %s", "https://x/?apikey=s3cret")
    assert caplog.messages == ["asking https://x/?apikey=***"]
