"""What the engine knows of sending: a question goes out through a gate, an answer or a failure comes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from finpipe.errors import FinpipeError
from finpipe.fetch.planner import Request

Gate = Callable[[], Awaitable[None]]
"""Awaited after the connection stands and before the first byte of the request leaves."""


@dataclass(frozen=True)
class Answer:
    """What the provider said, whatever it means. `body` is decoded (content encoding), nothing else."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    asked_at: datetime  # when the request left
    received_at: datetime  # when the body was complete


class FailureKind(StrEnum):
    """Why there is no answer."""

    CONNECT = "connect"
    TIMEOUT = "timeout"
    BROKEN = "broken"  # the connection ended, or its bytes are not HTTP
    TRUNCATED = "truncated"  # shorter than it said
    TOO_LARGE = "too_large"
    UNTRUSTED = "untrusted"  # TLS: the certificate does not hold


class TransportFailure(FinpipeError):
    """No answer came. The text holds no secret."""

    def __init__(self, kind: FailureKind, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind, self.detail = kind, detail


class Transport(Protocol):
    """A way to ask one source."""

    async def send(self, request: Request, *, gate: Gate) -> Answer:
        """Ask once.

        Raises:
            TransportFailure: No complete answer came.
        """
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...
