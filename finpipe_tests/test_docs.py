"""What the documents say is what the code does."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def test_reference_is_what_the_code_says() -> None:
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    assert generate["REFERENCE"].read_text() == generate["reference"](), "stale: run `make docs`"


def test_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)", README.read_text() + (ROOT / "CONTRIBUTING.md").read_text()))
    assert named
    assert named <= targets


def test_ci_runs_the_readmes_test_command() -> None:
    assert "make test" in README.read_text()
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("make test")


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "data/README.md"])
def test_files_that_documents_link_to_exist(document: str) -> None:
    path = ROOT / document
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_commands_of_the_readme_are_commands(run_help: dict[str, str]) -> None:
    code = " ".join(re.findall(r"```.*?```|`[^`]+`", README.read_text(), re.DOTALL))
    commands = re.findall(r"(?:^|[\s`/])finpipe ([a-z]+(?: [a-z]+)?)", code)
    assert commands
    for command in commands:
        words = command.split()
        assert words[0] in run_help or command in run_help, command


@pytest.fixture
def run_help() -> dict[str, str]:
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    lines = generate["reference"]().splitlines()
    return {name: line for line in lines for name in re.findall(r"^\| `finpipe ([a-z ]+)`", line)}
