"""Keeps what an attempt brought, durably and without secrets, and says what it means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never
from urllib.parse import urlencode

from finpipe.clock import Clock
from finpipe.fetch.classify import Outcome, Verdict, classify
from finpipe.fetch.ledger import Claim
from finpipe.fetch.transport import Answer, FailureKind, TransportFailure
from finpipe.raw.receipt import Receipt, new_receipt_id
from finpipe.raw.store import RawStore
from finpipe.redaction import Redactor
from finpipe.sources.spec import Dataset, Source


@dataclass(frozen=True)
class Recorded:
    """An attempt that is on disk."""

    verdict: Verdict
    receipt: Receipt


class Recorder:
    """Writes raw objects and receipts of one source; every call blocks on the disk."""

    def __init__(self, source: Source, raw: RawStore, redactor: Redactor, clock: Clock, run: str) -> None:
        self._source, self._raw, self._redactor, self._clock, self._run = source, raw, redactor, clock, run

    def answer(self, claim: Claim, dataset: Dataset, answer: Answer) -> Recorded:
        """Keep an answer, whatever it says."""
        body = self._redactor.body(answer.body)
        verdict = classify(dataset.response, answer.status, answer.headers, body)
        receipt = replace(
            self._receipt(claim, verdict, answer.asked_at, answer.received_at),
            status=answer.status,
            headers=self._headers(answer),
            sha256=self._raw.put(body) if body else None,
            length=len(body) if body else None,
            redacted=body is not answer.body,
        )
        self._raw.record(receipt)
        return Recorded(verdict, receipt)

    def failure(self, claim: Claim, failure: TransportFailure, asked_at: datetime) -> Recorded:
        """Keep that no answer came."""
        verdict = Verdict(_outcome_of(failure.kind), self._redactor.text(str(failure)))
        receipt = self._receipt(claim, verdict, asked_at, self._clock.now())
        self._raw.record(receipt)
        return Recorded(verdict, receipt)

    def recover(self, claim: Claim, dataset: Dataset) -> Recorded | None:
        """What an earlier holder of the claim kept before it died; None when it got no further."""
        source, name = claim.request.source, claim.request.dataset
        for receipt_id in reversed(self._raw.receipt_ids(source, name)):
            if receipt_id.endswith(f"-{claim.token}"):
                receipt = self._raw.receipt(source, name, receipt_id)
                return Recorded(self._verdict(receipt, dataset), receipt)
        return None

    def _verdict(self, receipt: Receipt, dataset: Dataset) -> Verdict:
        if receipt.status is None:
            return Verdict(Outcome(receipt.outcome), receipt.error)
        body = self._raw.get(receipt.sha256) if receipt.sha256 else b""
        return classify(dataset.response, receipt.status, receipt.headers, body)

    def _receipt(self, claim: Claim, verdict: Verdict, asked_at: datetime, received_at: datetime) -> Receipt:
        """The receipt of an attempt that got no answer."""
        request = claim.request
        query = f"?{urlencode(request.params)}" if request.params else ""
        return Receipt(
            # The ledger knew the end of this id before anything was sent.
            id=new_receipt_id(received_at, claim.token),
            source=request.source,
            dataset=request.dataset,
            request=request.key,
            item=request.item,
            first=request.first,
            last=request.last,
            url=self._source.client.base_url.rstrip("/") + request.path + query,
            status=None,
            headers={},
            asked_at=asked_at,
            received_at=received_at,
            outcome=verdict.outcome,
            run=self._run,
            error="" if verdict.outcome is Outcome.OK else verdict.detail,
            attempt=claim.attempt + 1,
        )

    def _headers(self, answer: Answer) -> dict[str, str]:
        # A session cookie is a secret, too.
        shown = ((name, value) for name, value in answer.headers.items() if name != "set-cookie")
        return {name: self._redactor.text(value) for name, value in shown}


def _outcome_of(kind: FailureKind) -> Outcome:
    match kind:
        case FailureKind.CONNECT | FailureKind.TIMEOUT | FailureKind.BROKEN:
            return Outcome.RETRY
        case FailureKind.TRUNCATED:
            return Outcome.TRUNCATED
        case FailureKind.TOO_LARGE:
            return Outcome.FAIL
        case FailureKind.UNTRUSTED:
            return Outcome.FAIL_CONFIG
        case _:
            assert_never(kind)
