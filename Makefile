# Each target sets up what it needs. `make demo` and `make test` are all a newcomer has to know.
SHELL := bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python

export FINPIPE_HOME ?= $(CURDIR)/data

.PHONY: help setup demo up test drills check fmt docs lock clean
help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(BIN)/uv: requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "finpipe needs Python 3.11 or newer; set PYTHON=/path/to/it" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(VENV)/.base: $(BIN)/uv requirements/base.txt pyproject.toml
	$(INSTALL) --require-hashes -r requirements/base.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.base requirements/dev.txt
	$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

setup: $(VENV)/.dev ## make .venv and install the locked packages, development's included

demo: $(VENV)/.base ## raw -> report against the sandbox, offline
	@$(BIN)/finpipe demo

up: $(VENV)/.base ## Dagster's UI and daemon (and the sandbox) on loopback
	@$(BIN)/finpipe up

test: check ## every check, then every test
	$(BIN)/python -m pytest -n 2 -m "not drill"
	$(MAKE) --no-print-directory drills

drills: $(VENV)/.dev ## limits, interleaving and kills, judged by a server, with nothing else running
	$(BIN)/python -m pytest -m drill

check: $(VENV)/.dev ## style, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.dev ## format, and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.dev ## write docs/reference.md anew from the code
	$(BIN)/python docs/generate.py

lock: $(VENV)/.dev ## make requirements/*.txt anew from pyproject.toml
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 requirements/bootstrap.in -o requirements/bootstrap.txt
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml -o requirements/base.txt
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 --extra dev pyproject.toml -o requirements/dev.txt

clean: ## remove .venv and caches; data/ stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
