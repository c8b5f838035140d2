"""The HTTP transport: the only module that imports httpx.

httpx's client writes whole URLs, keys included, to its log and into exceptions; its transport does neither,
follows no redirect and keeps no cookies. So this is built on the transport.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import zlib
from functools import lru_cache
from typing import Any

import httpx

from finpipe.clock import Clock
from finpipe.fetch.planner import Request
from finpipe.fetch.transport import Answer, FailureKind, Gate, TransportFailure
from finpipe.redaction import Redactor
from finpipe.sources.spec import ApiKey, Client

_IDLE_SECONDS = 2.0
"""A connection idle for longer is not used again: servers close theirs after 5 s and more (uvicorn's default)."""

_READ_CHUNK = 65536


# At DEBUG it quotes what a server said, which may be our key.
logging.getLogger("httpcore").setLevel(logging.WARNING)


class HttpTransport:
    """Asks one source over HTTP. The secret is added last, here, and leaves by the request alone."""

    def __init__(self, client: Client, secret: str, clock: Clock) -> None:
        self._client, self._secret, self._clock = client, secret, clock
        self._redactor = Redactor([secret])
        self._http = httpx.AsyncHTTPTransport(verify=_trust(), limits=httpx.Limits(keepalive_expiry=_IDLE_SECONDS))

    async def send(self, request: Request, *, gate: Gate) -> Answer:
        failure: TransportFailure
        try:
            return await self._exchange(request, gate)
        except httpx.TransportError as error:
            failure = self._failure(error)
        except TimeoutError:
            failure = TransportFailure(FailureKind.TIMEOUT, f"no whole answer in {self._seconds:g} s")
        # Raised out here: the error above, which may hold the URL with its key, is not chained.
        raise failure

    async def close(self) -> None:
        await self._http.aclose()

    @property
    def _seconds(self) -> float:
        return self._client.timeout.total_seconds()

    async def _exchange(self, request: Request, gate: Gate) -> Answer:
        asked_at = self._clock.now()
        # Waiting at the gate is not the provider's slowness: the deadline begins behind it.
        async with asyncio.timeout(None) as deadline:

            async def trace(event: str, _: dict[str, Any]) -> None:
                nonlocal asked_at
                if event.endswith(".send_request_headers.started"):
                    await gate()
                    asked_at = self._clock.now()
                    deadline.reschedule(asyncio.get_running_loop().time() + self._seconds)

            response = await self._http.handle_async_request(self._http_request(request, trace))
            try:
                body = await self._body(response)
            finally:
                await response.aclose()
        return Answer(response.status_code, dict(response.headers), body, asked_at, self._clock.now())

    def _http_request(self, request: Request, trace: Any) -> httpx.Request:
        params, headers = dict(request.params), {"accept-encoding": "gzip", **self._client.headers}
        headers.setdefault("user-agent", "finpipe")
        auth = self._client.auth
        if isinstance(auth, ApiKey):
            (params if auth.location == "query" else headers)[auth.name] = self._secret
        url = self._client.base_url.rstrip("/") + request.path
        timeout = httpx.Timeout(self._seconds).as_dict()
        extensions = {"trace": trace, "timeout": timeout}
        return httpx.Request("GET", url, params=params, headers=headers, extensions=extensions)

    async def _body(self, response: httpx.Response) -> bytes:
        encoding = response.headers.get("content-encoding", "identity").lower()
        if encoding not in ("identity", "gzip", "x-gzip"):
            raise TransportFailure(FailureKind.BROKEN, f"content encoding {encoding!r} was not asked for")
        decoder = _Gunzip(self._client.max_bytes) if encoding != "identity" else _Plain(self._client.max_bytes)
        async for chunk in response.aiter_raw(_READ_CHUNK):
            decoder.feed(chunk)
        return decoder.finish()

    def _failure(self, error: httpx.TransportError) -> TransportFailure:
        detail = self._redactor.text(f"{type(error).__name__} {error}".strip())
        match error:
            case httpx.TimeoutException():
                kind = FailureKind.TIMEOUT
            case httpx.ConnectError():
                kind = FailureKind.UNTRUSTED if _is_about_trust(error) else FailureKind.CONNECT
            case httpx.RemoteProtocolError() if "without sending complete" in str(error):
                kind = FailureKind.TRUNCATED
            case _:
                kind = FailureKind.BROKEN
        return TransportFailure(kind, detail)


class _Plain:
    """Collects a body that is not encoded, up to a cap."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._body = max_bytes, bytearray()

    def feed(self, chunk: bytes) -> None:
        self._body += chunk
        if len(self._body) > self._max_bytes:
            raise TransportFailure(FailureKind.TOO_LARGE, f"the body is over {self._max_bytes} bytes")

    def finish(self) -> bytes:
        return bytes(self._body)


class _Gunzip(_Plain):
    """Decodes gzip; never makes more than the cap of what a small body may unfold to."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes)
        self._decoder = zlib.decompressobj(wbits=31)

    def feed(self, chunk: bytes) -> None:
        try:
            super().feed(self._decoder.decompress(chunk, self._max_bytes - len(self._body) + 1))
        except zlib.error as error:
            raise TransportFailure(FailureKind.BROKEN, f"the body is not gzip: {error}") from error

    def finish(self) -> bytes:
        if not self._decoder.eof:
            raise TransportFailure(FailureKind.TRUNCATED, "the gzip body ends early")
        return super().finish()


@lru_cache
def _trust() -> ssl.SSLContext:
    """The certificates we trust, read once: that takes 20 ms."""
    return httpx.create_ssl_context()


def _is_about_trust(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
