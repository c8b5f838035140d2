"""The sandbox as an ASGI application: a gate that stamps and judges each arrival, and the providers behind it."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from email.utils import format_datetime
from typing import TypeVar

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from finpipe.sandbox import alpha_vantage, finra
from finpipe.sandbox.arrivals import Arrival, ArrivalLog, redact_query
from finpipe.sandbox.limits import PLANS, DailyQuota, Judge, Limit, Verdict
from finpipe.sandbox.options import PLAIN_PREFIX, SandboxOptions
from finpipe.sandbox.trading_day import TradingDay, trading_day
from finpipe.sandbox.virtual_clock import VirtualClock
from finpipe.sandbox.world import RESTATABLE, World

T = TypeVar("T")

_VERDICT = "finpipe.sandbox.verdict"


class Gate:
    """Stamps, judges and logs what is addressed to a provider, then lets it through (late, or as a failure)."""

    def __init__(self, app: ASGIApp, options: SandboxOptions, clock: VirtualClock, log: ArrivalLog) -> None:
        self._app, self._options, self._clock, self._log = app, options, clock, log
        self._judges: dict[str, Judge] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        monotonic = self._clock.monotonic()  # first of all: whatever runs before it delays the stamp
        source = source_of(scope["path"]) if scope["type"] == "http" else None
        if source is None:
            await self._app(scope, receive, send)
            return
        number, scope[_VERDICT] = self._admit(source, scope, monotonic)

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._log.answered(number, message["status"])
                date_header = format_datetime(self._clock.now(), usegmt=True).encode()
                message["headers"] = [*message.get("headers", ()), (b"date", date_header)]
            await send(message)

        if self._options.latency_seconds:
            await asyncio.sleep(self._options.latency_seconds)
        app = _broken if source in self._options.fail else self._app
        await app(scope, receive, send_and_note)

    def _admit(self, source: str, scope: Scope, monotonic: float) -> tuple[int, Verdict]:
        now = self._clock.now()
        verdict = self._judge(source).arrive(monotonic, trading_day(now).today)
        query = redact_query(scope["query_string"].decode("latin-1"))
        arrival = Arrival(
            source=source,
            monotonic=monotonic,
            virtual_time=now,
            path=f"{scope['path']}?{query}" if query else scope["path"],
            status=None,
            in_window=verdict.in_window,
            violation=verdict.is_violation,
        )
        return self._log.note(arrival), verdict

    def _judge(self, source: str) -> Judge:
        if source not in self._judges:
            limits = self._options.limits_of(source)
            self._judges[source] = Judge(limits, time_scale=self._options.time_scale)
        return self._judges[source]


def build_app(options: SandboxOptions, world: World, clock: VirtualClock, log: ArrivalLog) -> ASGIApp:
    """The whole sandbox: providers, plain sources and the controls under `/_sandbox`."""
    providers, controls = _Providers(options, world, clock), _Controls(options, world, clock, log)
    routes = [
        Route("/alpha_vantage/query", providers.alpha_vantage),
        Route("/finra_short_volume/equity/regsho/daily/{name}", providers.finra_short_volume),
        Route("/plain/{name}/{rest:path}", providers.plain),
        Route("/_sandbox/state", controls.state),
        Route("/_sandbox/arrivals", controls.arrivals),
        Route("/_sandbox/restate", controls.restate, methods=["POST"]),
        Route("/_sandbox/now", controls.move_now, methods=["POST"]),
    ]
    return Gate(Starlette(routes=routes), options, clock, log)


def source_of(path: str) -> str | None:
    """The source a path is addressed to: its first part, or plain/NAME; None for none."""
    first, _, rest = path.removeprefix("/").partition("/")
    name = rest.partition("/")[0]
    if f"{first}/" == PLAIN_PREFIX:
        return PLAIN_PREFIX + name if name else None
    return first if first in PLANS else None


class _Providers:
    def __init__(self, options: SandboxOptions, world: World, clock: VirtualClock) -> None:
        self._options, self._world, self._clock = options, world, clock
        self._plain_answers: Counter[str] = Counter()
        # One body is made at a time, off the event loop: the loop stays free to stamp arrivals.
        self._maker = asyncio.Lock()

    async def alpha_vantage(self, request: Request) -> Response:
        verdict: Verdict = request.scope[_VERDICT]
        params = request.query_params
        content = await self._make(lambda day: alpha_vantage.answer(params, self._world, day, verdict))
        return Response(content, media_type="application/json")

    async def finra_short_volume(self, request: Request) -> Response:
        verdict: Verdict = request.scope[_VERDICT]
        if verdict.is_violation:
            return Response("Too Many Requests", 429, media_type="text/plain")
        name, seed = request.path_params["name"], self._options.seed
        file = await self._make(lambda day: finra.find_file(name, self._world, day, seed=seed))
        if file is None:
            return Response(finra.ACCESS_DENIED, 403, media_type="application/xml")
        if request.headers.get("if-none-match") == file.headers["ETag"]:
            return Response(status_code=304, headers=file.headers)
        return Response(file.content, media_type="text/plain", headers=file.headers)

    async def plain(self, request: Request) -> Response:
        verdict: Verdict = request.scope[_VERDICT]
        if verdict.is_violation:
            seconds = max(1, math.ceil(verdict.retry_after_seconds))
            return Response("Too Many Requests", 429, {"Retry-After": str(seconds)}, "text/plain")
        name = request.path_params["name"]
        self._plain_answers[name] += 1
        return _json({"path": request.url.path, "n": self._plain_answers[name]})

    async def _make(self, build: Callable[[TradingDay], T]) -> T:
        async with self._maker:
            return await asyncio.to_thread(build, trading_day(self._clock.now()))


class _Controls:
    def __init__(self, options: SandboxOptions, world: World, clock: VirtualClock, log: ArrivalLog) -> None:
        self._options, self._world, self._clock, self._log = options, world, clock, log

    async def state(self, _: Request) -> Response:
        options, world = self._options, self._world
        return _json(
            {
                "now": self._clock.now(),
                "time_scale": options.time_scale,
                "symbols": world.symbols,
                "first_session": world.first_session,
                "last_session": world.last_session,
                "plans": {source: options.plans.get(source, "free") for source in PLANS},
                "limits": {
                    source: [_stated(limit) for limit in options.limits_of(source)]
                    for source in sorted({*PLANS, *options.limits})
                },
            }
        )

    async def arrivals(self, request: Request) -> Response:
        return _json(self._log.of(request.query_params.get("source") or None))

    async def restate(self, request: Request) -> Response:
        asked = await _json_object(request)
        session, value = _date_or_none(asked.get("session")), asked.get("value")
        symbol, field = str(asked.get("symbol")), str(asked.get("field"))
        if session is None or isinstance(value, bool) or not isinstance(value, int | float | None):
            return _json({"error": _RESTATE_FORM}, 400)
        if not self._world.restate(symbol, session, field, value):
            return _json({"error": f"no field {field!r} of {symbol!r} in {session}: {_RESTATE_FORM}"}, 400)
        return _json({"symbol": symbol, "session": session, "field": field, "value": value})

    async def move_now(self, request: Request) -> Response:
        now = _instant_or_none((await _json_object(request)).get("now"))
        if now is None:
            return _json({"error": 'expected {"now": "2013-03-02T00:30:00Z"}'}, 400)
        self._clock.move_to(now)
        return _json({"now": self._clock.now(), "now_offset_seconds": self._clock.offset.total_seconds()})


_RESTATE_FORM = (
    'expected {"symbol": "IBM", "session": "2013-02-28", "field": "close", "value": 200.5}, '
    f"field one of {', '.join(RESTATABLE)}, value a number or null"
)


async def _broken(scope: Scope, receive: Receive, send: Send) -> None:
    failure = Response("Internal Server Error", 500, media_type="text/plain")
    await failure(scope, receive, send)


def _json(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


def _stated(limit: Limit) -> dict[str, object]:
    if isinstance(limit, DailyQuota):
        return {"limit": limit.limit, "per": "day", "timezone": "America/New_York"}
    return {"limit": limit.limit, "period_seconds": limit.period_seconds}


async def _json_object(request: Request) -> dict[str, object]:
    try:
        parsed = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _date_or_none(text: object) -> date | None:
    try:
        return date.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _instant_or_none(text: object) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return instant if instant and instant.tzinfo else None
