"""Serves the sandbox on a loopback port: until a signal (`serve`), or beside the caller (`start_in_thread`)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from types import FrameType
from typing import Self

import uvicorn

from finpipe.clock import SystemClock
from finpipe.errors import SandboxError
from finpipe.sandbox.app import build_app
from finpipe.sandbox.arrivals import Arrival, ArrivalLog
from finpipe.sandbox.options import SandboxOptions
from finpipe.sandbox.virtual_clock import VirtualClock
from finpipe.sandbox.world import World, load_world, opening_instant

__all__ = ["RunningSandbox", "SandboxState", "serve", "start_in_thread"]


@dataclass(frozen=True)
class SandboxState:
    """What a client needs to know of a sandbox that listens.

    `now_offset_seconds` is its virtual now less the real now, the same for as long as nobody moves it.
    """

    base_url: str
    now_offset_seconds: float
    time_scale: float
    symbols: tuple[str, ...]
    first_session: date
    last_session: date


class RunningSandbox:
    """A sandbox served by a thread of this process; leaving its `with` block stops it."""

    def __init__(self, served: _Served, server: _Server, thread: threading.Thread) -> None:
        self._served, self._server, self._thread = served, server, thread
        self.state = served.state()
        self.base_url, self.symbols = self.state.base_url, self.state.symbols

    @property
    def now(self) -> datetime:
        """The virtual present, UTC."""
        return self._served.clock.now()

    def arrivals(self, source: str | None = None) -> list[Arrival]:
        """What has arrived so far, in order; of one source if given."""
        return self._served.log.of(source)

    def stop(self) -> None:
        """Stop listening and wait until the last answer is out; harmless when it has stopped already."""
        self._server.should_exit = True
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def serve(options: SandboxOptions, *, on_ready: Callable[[SandboxState], None]) -> None:
    """Serve until SIGINT or SIGTERM, then return; `on_ready` is called once, when the port answers.

    Raises:
        SandboxError: The bars cannot be read, the log cannot be written, or the port is taken.
    """
    with _opened(options) as served:
        _Server(served, lambda: on_ready(served.state())).run(sockets=[served.listener])


def start_in_thread(options: SandboxOptions) -> RunningSandbox:
    """Serve in a thread of this process; returns when the port answers. Raises what `serve` raises."""
    resources = ExitStack()
    served = resources.enter_context(_opened(options))
    settled = threading.Event()
    server = _Server(served, settled.set)

    def run() -> None:
        try:
            with resources:
                server.run(sockets=[served.listener])
        finally:
            settled.set()

    thread = threading.Thread(target=run, name="finpipe-sandbox", daemon=True)
    thread.start()
    settled.wait()
    if not server.started:
        raise SandboxError(f"the sandbox did not start on {options.host}:{options.port}; see the log above")
    return RunningSandbox(served, server, thread)


@dataclass(frozen=True)
class _Served:
    """What one server holds open."""

    options: SandboxOptions
    world: World
    clock: VirtualClock
    log: ArrivalLog
    listener: socket.socket

    def state(self) -> SandboxState:
        host, port = self.listener.getsockname()[:2]
        return SandboxState(
            base_url=f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}",
            now_offset_seconds=self.clock.offset.total_seconds(),
            time_scale=self.options.time_scale,
            symbols=self.world.symbols,
            first_session=self.world.first_session,
            last_session=self.world.last_session,
        )


@contextmanager
def _opened(options: SandboxOptions) -> Iterator[_Served]:
    world = load_world(options)
    clock = VirtualClock(SystemClock(), options.now or opening_instant(world))
    with closing(ArrivalLog(options.log)) as log, _listen(options) as listener:
        yield _Served(options, world, clock, log, listener)


def _listen(options: SandboxOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        return socket.create_server((options.host, options.port), family=family, backlog=512)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # Python adds the address once more
        raise SandboxError(
            f"the sandbox cannot listen on {options.host}:{options.port}: {reason}; "
            "stop what uses that port, or give another with --port (0: any free one)"
        ) from error


class _Server(uvicorn.Server):
    """uvicorn that says when the port answers, and for which a signal is a normal end."""

    def __init__(self, served: _Served, on_ready: Callable[[], None]) -> None:
        app = build_app(served.options, served.world, served.clock, served.log)
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                access_log=False,
                log_config=None,
                log_level="warning",
                date_header=False,  # the application states the virtual date
                server_header=False,
                # A client that keeps an idle connection does not hold up the end.
                timeout_graceful_shutdown=1,
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    def handle_exit(self, _signal: int, _frame: FrameType | None) -> None:
        # uvicorn would raise the signal once more after its shutdown: here it has been obeyed by then.
        self.should_exit = True
