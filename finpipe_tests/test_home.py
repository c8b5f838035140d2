from __future__ import annotations

from pathlib import Path

import pytest

from finpipe.errors import HomeError
from finpipe.home import Home


def test_home_is_made_and_opened_again(tmp_path: Path) -> None:
    root = tmp_path / "new" / "home"
    assert Home.open(root, "dev") == Home.open(root, "dev")
    assert (root / "home.json").exists()


def test_home_refuses_another_profile_and_says_how_to_mend(tmp_path: Path) -> None:
    Home.open(tmp_path, "dev")
    with pytest.raises(HomeError, match="FINPIPE_PROFILE=dev") as caught:
        Home.open(tmp_path, "prod")
    assert str(tmp_path) in str(caught.value)


def test_home_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="FINPIPE_HOME"):
        Home.open(tmp_path / "file" / "home", "dev")


@pytest.mark.parametrize("content", ["", "{}", "[1]", "not json"])
def test_home_with_a_broken_stamp_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "home.json").write_text(content)
    with pytest.raises(HomeError, match=r"home\.json"):
        Home.open(tmp_path, "dev")
    assert (tmp_path / "home.json").read_text() == content
