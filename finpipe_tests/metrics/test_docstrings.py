from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from types import ModuleType

import polars as pl
import pytest

import finpipe.metrics

MODULES = [
    importlib.import_module(f"finpipe.metrics.{module.name}")
    for module in pkgutil.iter_modules(finpipe.metrics.__path__)
]
NOT_FORMULAS = {"daily_metrics", "in_order"}
FORMULAS = [
    pytest.param(module, function, id=name)
    for module in MODULES
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if function.__module__ == module.__name__ and not name.startswith("_") and name not in NOT_FORMULAS
]


@pytest.mark.parametrize(("module", "function"), FORMULAS)
def test_a_formula_states_its_contract(module: ModuleType, function: Callable[..., object]) -> None:
    text = inspect.getdoc(function) or ""
    assert module.__doc__
    assert [part for part in ("Args:", "Returns:", "ull ", "Reference:", "Example:") if part not in text] == []


@pytest.mark.parametrize(("module", "function"), FORMULAS)
def test_the_example_of_a_formula_runs_on_stable_functions_of_polars(
    module: ModuleType, function: Callable[..., object]
) -> None:
    (example,) = doctest.DocTestFinder().find(function, module=module)
    with pl.Config() as config:
        config.warn_unstable(active=True)  # and warnings are errors
        result = doctest.DocTestRunner().run(example)
    assert result.attempted >= 2
    assert result.failed == 0
