# Everything starts here: `make demo` shows what Evervalue does, `make test` shows that it works.
# Both set up what they need in .venv and ask the network for nothing once that is done.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?=
ARGS ?=
TESTS ?=
BROWSER ?= yes
MARIADB ?= yes
NATS ?= yes
NODE ?= yes
# A worker a processor; a file's tests stay together. WORKERS= runs them one after the other.
WORKERS ?= -n auto --dist loadfile

export TZ := UTC
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench proof lock fmt lint chromium mariadb nats sdks base dev peers clean

help:  ## list what make can do
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: dev  ## an environment in .venv with every extra

base:
	@$(PYTHON) tools/environment.py base --venv $(VENV)

dev:
	@$(PYTHON) tools/environment.py dev --venv $(VENV)

peers:
	@$(PYTHON) tools/environment.py peers --venv $(VENV)-peers

chromium:
	@if [ "$(BROWSER)" = yes ]; then tools/chromium.sh > /dev/null; fi

mariadb:
	@if [ "$(MARIADB)" = yes ]; then tools/mariadb.sh > /dev/null; fi

nats:
	@if [ "$(NATS)" = yes ]; then tools/nats.sh > /dev/null; fi

sdks: dev
	@if [ "$(NODE)" = yes ]; then $(BIN)/python tools/sdks.py > /dev/null; fi

demo: base  ## the example company, from its sales file to the dashboard; PORT=8000 moves it
	@$(BIN)/evervalue demo $(if $(PORT),--port $(PORT)) $(ARGS)

test: dev chromium mariadb nats sdks  ## the tests, without the slow ones; TESTS="-k lrfm" narrows them
	@if [ "$(BROWSER)" = yes ]; then \
		EVERVALUE_CHROMIUM="$$(tools/chromium.sh)" $(BIN)/python -m pytest $(WORKERS) -m "not slow" $(TESTS); \
	else \
		$(BIN)/python -m pytest $(WORKERS) -m "not slow and not browser" $(TESTS); \
	fi

check:  ## what CI does: tests, slow tests, lint, types, imports, locks
	@VENV=$(VENV) bash .ci/run

lint: dev  ## formatting, lint, types, imports and locks, without tests
	@VENV=$(VENV) bash .ci/lint

bench: dev peers  ## compare with peers and write docs/benchmarks.md
	@$(BIN)/python -m benchmarks

proof: dev chromium mariadb nats sdks  ## every test at full size; writes what it found to docs/proof.md
	@EVERVALUE_CHROMIUM="$$(tools/chromium.sh)" $(BIN)/python tools/proof.py

lock: dev  ## resolve the hashed locks in requirements/ from pyproject.toml
	@$(BIN)/python tools/lock.py

fmt: dev  ## format the code and mend what the linter can
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

clean:  ## remove caches, builds and kept wheels; the environment stays
	rm -rf .wheels dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
