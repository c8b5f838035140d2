"""`finpipe up` with small processes in the place of Dagster's; the real ones stand in acceptance."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from finpipe.cli.up import Service, ServiceEnded, run_services, up
from finpipe.errors import HomeError, UserError
from finpipe.settings import Settings

READY = "import signal, sys, time; print('ready', flush=True); "
SLEEP = f"{READY} signal.signal(signal.SIGINT, lambda *_: sys.exit(0)); time.sleep(60)"


def service(name: str, code: str) -> Service:
    return Service(name, [sys.executable, "-S", "-c", code], lambda log: b"ready" in log.read_bytes())


def alive(process: str) -> bool:
    """Whether a process runs; one that has ended and waits for its parent to notice does not."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", process], capture_output=True, text=True, check=False).stdout
    return bool(shown.strip()) and not shown.startswith("Z")


def test_services_start_in_order_and_stop_when_a_signal_comes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note = tmp_path / "pids"
    code = f"import os; open({str(note)!r}, 'a').write(str(os.getpid()) + ' '); {SLEEP}"

    def is_ready(log: Path) -> bool:
        if b"ready" not in log.read_bytes():
            return False
        threading.Timer(0.1, signal.raise_signal, [signal.SIGTERM]).start()
        return True

    last = Service("last", [sys.executable, "-S", "-c", code], is_ready, "http://127.0.0.1:3000")
    run_services([service("first", code), last], tmp_path / "logs", {})
    pids = note.read_text().split()
    assert len(pids) == 2
    assert not any(map(alive, pids))
    assert capsys.readouterr().out.splitlines()[:2] == ["first: running", "last: http://127.0.0.1:3000"]


def test_a_service_that_dies_is_named_with_its_log_and_the_others_are_stopped(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = f"import os; open({str(note)!r}, 'w').write(str(os.getpid())); {SLEEP}"
    with pytest.raises(ServiceEnded, match=r"(?s)dies ended with code 3\. Its log is .*dies\.log; .*out of luck"):
        run_services(
            [service("lives", code), service("dies", f"{READY} print('out of luck'); sys.exit(3)")], tmp_path, {}
        )
    assert not alive(note.read_text())


def test_a_service_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finpipe.cli.up._READY_SECONDS", 0.3)
    mute = Service("mute", [sys.executable, "-S", "-c", SLEEP], lambda _: False)
    with pytest.raises(ServiceEnded, match=r"mute did not answer within 0\.3 s"):
        run_services([mute], tmp_path, {})


def test_a_service_that_ignores_the_signal_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finpipe.cli.up._STOP_SECONDS", 0.2)
    note = tmp_path / "pids"
    stubborn = (
        "import os, signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); child = os.fork(); "
        f"open({str(note)!r}, 'a').write(str(os.getpid()) + ' '); print('ready', flush=True); time.sleep(60)"
    )
    with pytest.raises(ServiceEnded):
        run_services([service("stubborn", stubborn), service("dies", "raise SystemExit(1)")], tmp_path / "logs", {})
    assert len(note.read_text().split()) == 2
    assert not any(map(alive, note.read_text().split()))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "example.org"])  # noqa: S104 - refused
def test_up_refuses_a_host_others_can_reach(host: str) -> None:
    with pytest.raises(UserError, match="not a loopback address"):
        up(Settings.read(), host=host)


def test_up_says_that_its_port_is_in_use_and_starts_nothing(tmp_path: Path) -> None:
    settings = Settings.read({"FINPIPE_HOME": str(tmp_path / "home")})
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1:{port} .*in use"):
            up(settings, port=port)
    assert not (tmp_path / "home").exists()


def test_up_refuses_a_home_of_another_profile(tmp_path: Path) -> None:
    (tmp_path / "home.json").write_text('{"profile": "prod"}')
    with pytest.raises(HomeError, match="belongs to the profile 'prod'"):
        up(Settings.read({"FINPIPE_HOME": str(tmp_path)}), port=0)
