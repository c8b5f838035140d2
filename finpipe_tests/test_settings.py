from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from finpipe.errors import MissingSecret, SettingsError
from finpipe.settings import Profile, Settings


def test_settings_have_defaults_that_need_nothing() -> None:
    settings = Settings.read({})
    assert settings.profile is Profile.DEV
    assert settings.home == Path("data").absolute()
    assert settings.start == date(2000, 1, 1)
    assert not settings.schedules_running


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("FINPIPE_PROFILE", "production", "dev, staging, prod"),
        ("FINPIPE_START", "1st of May", "2000-01-01"),
        ("FINPIPE_PATIENCE_SECONDS", "-1", "0 or more"),
        ("FINPIPE_PATIENCE_SECONDS", "nan", "0 or more"),
        ("FINPIPE_LOG_LEVEL", "loud", "DEBUG"),
        ("FINPIPE_SCHEDULES", "yes", "on, off"),
    ],
)
def test_settings_name_the_variable_the_value_and_what_is_allowed(variable: str, value: str, allowed: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.read({variable: value})
    assert variable in str(caught.value)
    assert value.upper() in str(caught.value).upper()
    assert allowed in str(caught.value)


def test_secret_is_read_when_it_is_used_and_missing_names_the_variable() -> None:
    settings = Settings.read({"FINPIPE_PROFILE": "prod", "A_KEY": "k"})
    assert settings.secret("a", "A_KEY") == "k"
    with pytest.raises(MissingSecret, match="B_KEY"):
        settings.secret("b", "B_KEY")
    assert "'k'" not in repr(settings)


def test_secret_of_the_dev_profile_is_never_a_real_one() -> None:
    assert Settings.read({"A_KEY": "real"}).secret("a", "A_KEY") != "real"
