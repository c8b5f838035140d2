"""The HTTP transport against a small real server of our own: no mock of httpx."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import pytest

from finpipe.clock import SystemClock
from finpipe.fetch.client import HttpTransport
from finpipe.fetch.planner import Request
from finpipe.fetch.transport import Answer, FailureKind, TransportFailure
from finpipe.sources.spec import Client

pytestmark = pytest.mark.integration

SECRET = "canary/k+y 7"  # noqa: S105 - made up
NOW = datetime(2013, 3, 2, tzinfo=UTC)
QUERY_KEY = {"type": "api_key", "name": "apikey", "location": "query", "secret": "ACME_KEY"}
HEADER_KEY = {"type": "api_key", "name": "X-Key", "location": "header", "secret": "ACME_KEY"}
Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


def request(path: str = "/daily", **params: str) -> Request:
    day = date(2013, 3, 1)
    return Request("k", "acme", "daily", path, params, {}, day, day, NOW, NOW)


def reply(body: bytes, *, status: str = "200 OK", length: int | None = None, headers: str = "") -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{headers}\r\n".encode() + body


def ask(handler: Handler | bytes, gate: Callable[[], Awaitable[None]] | None = None, **client: Any) -> Answer:
    """Ask a server that handles each request as told."""

    served: list[asyncio.Task[Any]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.extend(task for task in [asyncio.current_task()] if task)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if isinstance(handler, bytes):
                writer.write(handler)
            else:
                await handler(head, writer)
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def exchange() -> Answer:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        spec = Client.model_validate({"base_url": f"http://127.0.0.1:{port}/api", "timeout": "5s", **client})
        transport = HttpTransport(spec, SECRET, SystemClock())
        try:
            return await transport.send(request(symbol="BRK/B"), gate=gate or _open)
        finally:
            await transport.close()
            server.close()
            await asyncio.gather(*served)

    return asyncio.run(exchange())


async def _open() -> None:
    """Let everything through."""


def failure(handler: Handler | bytes, **client: Any) -> TransportFailure:
    with pytest.raises(TransportFailure) as raised:
        ask(handler, **client)
    return raised.value


def test_send_brings_status_headers_and_body() -> None:
    answer = ask(reply(b"hello", status="403 Forbidden", headers="X-Left: 3\r\n"))
    assert (answer.status, answer.headers["x-left"], answer.body) == (403, "3", b"hello")
    assert answer.asked_at <= answer.received_at


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        pytest.param(QUERY_KEY, b"GET /api/daily?symbol=BRK%2FB&apikey=canary%2Fk%2By%207 HTTP/1.1", id="query"),
        pytest.param(HEADER_KEY, b"X-Key: canary/k+y 7\r\n", id="header"),
        pytest.param({"type": "none"}, b"GET /api/daily?symbol=BRK%2FB HTTP/1.1", id="none"),
    ],
)
def test_send_adds_the_secret_where_it_belongs(auth: dict[str, str], expected: bytes) -> None:
    heads: list[bytes] = []

    async def remember(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(reply(b"x"))

    ask(remember, auth=auth)
    assert expected.replace(b"%20", b"+") in heads[0] or expected in heads[0]


def test_send_waits_at_the_gate_after_connecting_and_before_the_first_byte() -> None:
    events: list[str] = []

    async def gate() -> None:
        await asyncio.sleep(0.01)  # the server sees the connection meanwhile, and no byte
        events.append("gate")

    async def serve(_: bytes, writer: asyncio.StreamWriter) -> None:
        events.append("bytes")
        writer.write(reply(b"x"))

    ask(serve, gate)
    assert events == ["gate", "bytes"]


def test_send_passes_on_what_the_gate_raises() -> None:
    async def closed() -> None:
        raise KeyError("closed")

    with pytest.raises(KeyError, match="closed"):
        ask(reply(b"x"), closed)


def test_send_does_not_count_the_wait_at_the_gate_as_the_provider_s() -> None:
    async def slow_gate() -> None:
        await asyncio.sleep(0.3)

    assert ask(reply(b"x"), slow_gate, timeout="200ms").body == b"x"


def test_send_decodes_gzip() -> None:
    assert ask(reply(gzip.compress(b"data" * 1000), headers="Content-Encoding: gzip\r\n")).body == b"data" * 1000


def test_send_does_not_follow_a_redirect() -> None:
    answer = ask(reply(b"", status="302 Found", headers="Location: http://127.0.0.1:1/\r\n"))
    assert answer.status == 302


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        pytest.param(reply(b"half", length=100), FailureKind.TRUNCATED, id="shorter than it says"),
        pytest.param(
            reply(gzip.compress(b"data" * 100)[:-9], headers="Content-Encoding: gzip\r\n"),
            FailureKind.TRUNCATED,
            id="gzip cut",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", FailureKind.TRUNCATED, id="chunk cut"
        ),
        pytest.param(reply(b"plain", headers="Content-Encoding: gzip\r\n"), FailureKind.BROKEN, id="not gzip"),
        pytest.param(reply(b"?", headers="Content-Encoding: br\r\n"), FailureKind.BROKEN, id="encoding not asked for"),
        pytest.param(b"220 mail ready\r\n", FailureKind.BROKEN, id="not http"),
        pytest.param(b"", FailureKind.BROKEN, id="closed at once"),
        pytest.param(reply(b"x" * 5000), FailureKind.TOO_LARGE, id="too large"),
        pytest.param(
            reply(gzip.compress(bytes(50_000_000)), headers="Content-Encoding: gzip\r\n"),
            FailureKind.TOO_LARGE,
            id="too large once decoded",
        ),
    ],
)
def test_send_says_why_there_is_no_answer(said: bytes, kind: FailureKind) -> None:
    assert failure(said, max_bytes=4000).kind is kind


def test_send_gives_up_a_body_that_drips() -> None:
    async def drip(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(b"", length=1000))
        for _n in range(100):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    assert failure(drip, timeout="100ms").kind is FailureKind.TIMEOUT


def test_send_says_when_nobody_listens() -> None:
    assert failure(reply(b""), base_url="http://127.0.0.1:1").kind is FailureKind.CONNECT


@pytest.mark.parametrize("auth", [QUERY_KEY, HEADER_KEY], ids=["query", "header"])
@pytest.mark.parametrize(
    "said",
    [reply(b"ok"), reply(b"half", length=100), b"canary/k+y 7 is no HTTP\r\n\r\n", b""],
    ids=["good", "cut", "echoed instead of HTTP", "closed"],
)
def test_secret_is_in_no_log_and_no_exception(
    auth: dict[str, str], said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    shown = ""
    with caplog.at_level(logging.DEBUG):
        try:
            ask(said, auth=auth)
        except TransportFailure as error:
            chain: BaseException | None = error
            while chain is not None:
                shown += f"{chain!r} {chain} {vars(chain)}"
                chain = chain.__cause__ or chain.__context__
    shown += " ".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    for form in (SECRET, "canary%2Fk%2By%207", "canary%2Fk%2By+7"):
        assert form not in shown
