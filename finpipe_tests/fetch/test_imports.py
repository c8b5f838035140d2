from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.integration
def test_fetch_is_imported_without_its_http_client() -> None:
    code = "import sys, finpipe.fetch; sys.exit('httpx' in sys.modules or 'dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
