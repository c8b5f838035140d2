"""The served sandbox: real sockets, a real process, a real end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from finpipe.errors import SandboxError
from finpipe.sandbox.limits import Window
from finpipe.sandbox.options import SandboxOptions
from finpipe.sandbox.server import start_in_thread

pytestmark = pytest.mark.integration

START = datetime(2013, 3, 2, 0, 30, tzinfo=UTC)


def test_sandbox_in_a_thread_serves_until_its_block_ends() -> None:
    options = SandboxOptions(port=0, synthetic=1, limits={"plain/a": (Window(1, 60.0),)})
    with start_in_thread(options) as sandbox:
        assert sandbox.symbols == ("AAPL", "FB", "GOOG", "IBM", "MSFT", "SYAA")
        assert START <= sandbox.now < START + timedelta(seconds=30)
        with httpx.Client(base_url=sandbox.base_url) as client:
            assert [client.get("/plain/a/x").status_code for _ in range(2)] == [200, 429]
            # The client's connection stays open: it must not hold up the end.
            assert [arrival.violation for arrival in sandbox.arrivals("plain/a")] == [False, True]
            sandbox.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{sandbox.base_url}/plain/a/x")


def test_state_for_clients_gives_the_virtual_now_by_an_offset() -> None:
    with start_in_thread(SandboxOptions(port=0, synthetic=0, time_scale=60, now=START)) as sandbox:
        assert (sandbox.state.base_url, sandbox.state.time_scale) == (sandbox.base_url, 60)
        offset = timedelta(seconds=sandbox.state.now_offset_seconds)
        state = httpx.get(f"{sandbox.base_url}/_sandbox/state").json()
    real_now = datetime.now(UTC)
    assert abs(datetime.fromisoformat(state["now"]) - (real_now + offset)) < timedelta(seconds=30)


def test_port_in_use_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SandboxError) as raised:
            start_in_thread(SandboxOptions(port=port, synthetic=0))
    assert str(raised.value) == (
        f"the sandbox cannot listen on 127.0.0.1:{port}: Address already in use; "
        "stop what uses that port, or give another with --port (0: any free one)"
    )


def test_unreadable_bars_and_log_are_said_before_anything_listens(tmp_path: Path) -> None:
    for options in (
        SandboxOptions(port=0, bars=tmp_path / "absent.parquet"),
        SandboxOptions(port=0, synthetic=0, log=tmp_path / "absent" / "log"),
    ):
        with pytest.raises(SandboxError, match="absent"):
            start_in_thread(options)


PROGRAM = """
import sys
from pathlib import Path
from finpipe.sandbox.options import SandboxOptions
from finpipe.sandbox.server import serve
options = SandboxOptions(port=0, synthetic=0, log=Path(sys.argv[1]))
serve(options, on_ready=lambda state: print(state.base_url, flush=True))
print("ended", flush=True)
"""


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_served_process_ends_cleanly_on_a_signal_with_its_log_written(end: signal.Signals, tmp_path: Path) -> None:
    log = tmp_path / "arrivals.jsonl"
    with subprocess.Popen([sys.executable, "-c", PROGRAM, log], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        assert httpx.get(f"{base_url}/plain/a/x").status_code == 200
        process.send_signal(end)
        rest = process.stdout.read()
    assert (rest, process.returncode) == ("ended\n", 0)
    assert [json.loads(line)["path"] for line in log.read_text().splitlines()] == ["/plain/a/x"]
