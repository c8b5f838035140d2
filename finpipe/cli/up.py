"""`finpipe up`: Dagster's UI and daemon, and in the dev profile the sandbox, until told to stop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.request import urlopen

import typer

from finpipe.clock import SystemClock
from finpipe.errors import FinpipeError, UserError
from finpipe.home import Home
from finpipe.settings import Profile, Settings

_READY_SECONDS = 180.0  # a cold start imports thousands of modules three times, on whatever machine
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.25
_TOLD_LINES = 5
_TIME_SCALE = 60  # a minute's cooldown of the sandbox passes in a second


def command(
    *,
    port: Annotated[int, typer.Option(help="Of Dagster's UI.")] = 3000,
    host: Annotated[str, typer.Option(help="A loopback address, unless --any-host.")] = "127.0.0.1",
    sandbox: Annotated[
        bool | None, typer.Option(help="Start the sandbox, too (in the dev profile it is started anyway).")
    ] = None,
    any_host: Annotated[
        bool, typer.Option("--any-host", help="Listen beyond this machine: the UI has no login.")
    ] = False,
) -> None:
    """Start Dagster's UI and daemon (and the sandbox, in the dev profile) until Ctrl-C."""
    up(Settings.read(), port=port, host=host, with_sandbox=sandbox, any_host=any_host)


class ServiceEnded(FinpipeError):
    """A process that `up` started ended by itself, or did not answer in time."""


@dataclass(frozen=True)
class Service:
    """A process to start.

    Attributes:
        name: For people; its output goes to `<logs>/<name>.log`.
        command: What is started.
        is_ready: Given the log; asked until it says yes, before the next service starts.
        address: Where people find it.
    """

    name: str
    command: Sequence[str]
    is_ready: Callable[[Path], bool]
    address: str = ""


def up(
    settings: Settings,
    *,
    port: int = 3000,
    host: str = "127.0.0.1",
    with_sandbox: bool | None = None,
    sandbox_options: Sequence[str] = (),
    any_host: bool = False,
) -> None:
    """Start everything, wait until it answers, and stop it on SIGINT or SIGTERM.

    Args:
        settings: Name the home and the profile.
        port: Of Dagster's UI.
        host: It listens on.
        with_sandbox: Whether to start the sandbox; when None, in the dev profile.
        sandbox_options: Options of `finpipe sandbox`.
        any_host: Allow a host that is not loopback: the UI has no login, whoever reaches it may run jobs.

    Raises:
        UserError: The host or port cannot be used; nothing was started.
        ServiceEnded: One ended or did not answer; the others were stopped.
    """
    _require_usable(host, port, any_host=any_host)
    home = Home.open(settings.home, settings.profile)
    starts_sandbox = settings.profile is Profile.DEV if with_sandbox is None else with_sandbox
    sandbox = [_sandbox(home, sandbox_options)] if starts_sandbox else []
    run_services([*sandbox, *_dagster(host, port)], home.state / "logs", _environment(settings, home))


def run_services(services: Sequence[Service], logs: Path, environment: Mapping[str, str]) -> None:
    """Start services one after another, and watch them until a signal comes; then stop them, last first.

    Raises:
        ServiceEnded: One ended or did not become ready; all were stopped.
    """
    running: list[tuple[Service, subprocess.Popen[bytes], Path]] = []
    with _told_to_stop() as stop, ExitStack() as stack:

        def check() -> None:
            for service, process, log in running:
                if process.poll() is not None:
                    raise ServiceEnded(_epitaph(service, f"ended with code {process.returncode}", log))

        for service in services:
            log = logs / f"{service.name}.log"
            running.append((service, stack.enter_context(_started(service, log, environment)), log))
            _wait_until_ready(service, log, stop, check)
            typer.echo(f"{service.name}: {service.address or 'running'}")
        typer.echo(f"logs are in {logs}; Ctrl-C stops everything")
        while not stop.wait(_POLL_SECONDS):
            check()


def _wait_until_ready(service: Service, log: Path, stop: threading.Event, check: Callable[[], None]) -> None:
    clock = SystemClock()
    until = clock.monotonic() + _READY_SECONDS
    while not service.is_ready(log) and not stop.wait(_POLL_SECONDS):
        check()
        if clock.monotonic() > until:
            raise ServiceEnded(_epitaph(service, f"did not answer within {_READY_SECONDS:g} s", log))


@contextmanager
def _started(service: Service, log: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            service.command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches us alone, and what it started can be stopped with it
        )
        try:
            yield process
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)  # what Dagster's processes clean up after
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    with suppress(ProcessLookupError):  # children that outlived it
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _epitaph(service: Service, what: str, log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-_TOLD_LINES:]
    return f"{service.name} {what}. Its log is {log}" + ("; it ends with:\n" + "\n".join(lines) if lines else ".")


def _require_usable(host: str, port: int, *, any_host: bool) -> None:
    if not any_host and not _is_loopback(host):
        raise UserError(
            f"{host} is not a loopback address, and Dagster's UI has no login: whoever reaches it may run jobs. "
            "Put a proxy with a login before 127.0.0.1, or allow it explicitly with --any-host."
        )
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
    except (OSError, OverflowError) as error:
        raise UserError(
            f"cannot listen on {host}:{port} ({error}). Stop what uses it, or give another --port."
        ) from error


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _environment(settings: Settings, home: Home) -> dict[str, str]:
    from finpipe.defs.instance import ensure_instance

    places = {"FINPIPE_HOME": str(home.root), "DAGSTER_HOME": str(ensure_instance(home))}
    return {**settings.environment, **places, "FINPIPE_PROFILE": settings.profile}


def _sandbox(home: Home, options: Sequence[str]) -> Service:
    # The home's note of the sandbox says the start: another one than before means that a new one answers.
    note = home.state / "sandbox.json"
    before = note.read_bytes() if note.exists() else b""
    command = [sys.executable, "-m", "finpipe", "sandbox", "--port", "0", "--time-scale", str(_TIME_SCALE), *options]
    return Service("sandbox", command, lambda _: note.exists() and note.read_bytes() != before)


def _dagster(host: str, port: int) -> list[Service]:
    """The webserver first: it makes the instance's databases, which two processes at once would both make."""
    from finpipe.defs.instance import WORKSPACE_FILE

    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    workspace = ["--workspace", str(WORKSPACE_FILE)]
    listening = ["--host", host, "--port", str(port)]
    return [
        Service(
            "webserver",
            [sys.executable, "-m", "dagster_webserver", *listening, *workspace],
            lambda _: _answers(f"{url}/server_info"),
            url,
        ),
        Service(
            "daemon",
            [sys.executable, "-m", "dagster._daemon", "run", *workspace],
            lambda log: b"configured with the following daemons" in log.read_bytes(),
        ),
    ]


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:  # noqa: S310 - our own http address
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's own word for yes
    except OSError:  # nobody listens yet
        return False
