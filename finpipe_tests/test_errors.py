from __future__ import annotations

import inspect

from finpipe import errors


def test_unknown_name_offers_near_names_and_lists_the_known() -> None:
    error = errors.UnknownName("source", "alpha_vantge", ["finra_short_volume", "alpha_vantage"])
    assert str(error) == (
        "unknown source 'alpha_vantge'; did you mean 'alpha_vantage'? Known: alpha_vantage, finra_short_volume"
    )


def test_unknown_name_says_when_nothing_is_known() -> None:
    assert str(errors.UnknownName("table", "x", [])) == "unknown table 'x'. Known: none"


def test_every_error_stands_in_the_tree_at_the_top_of_the_file() -> None:
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__]
    assert all(issubclass(c, errors.FinpipeError) for c in classes)
    assert [c.__name__ for c in classes if c.__name__ not in (errors.__doc__ or "")] == []
