# Two commands do everything on a fresh machine: `make run` and `make test`. Nothing but Python 3.11+ is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
ROOMS := agent api chat_ui deploy evals homeguard mcp_servers memory pipeline scenarios tools

.PHONY: run install install-dev test test-long load-test services services-stop test-services integration-test check bench bench-engines eval lock format clean

run: install
	@exec $(BIN)/homeguard up $(ARGS)

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(BIN)/python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "HomeGuard needs Python 3.11 or newer"'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q $(ROOMS)
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

test: install-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

# The long forms of the tests that kill, cut the power, damage files, flood and fuzz: hours, each prints a table.
test-long: install-dev
	HOMEGUARD_LONG=1 $(BIN)/python -m pytest tests/crash tests/fuzz tests/hostile tests/pipeline tests/agent -s $(ARGS)

load-test: install
	$(BIN)/homeguard load $(ARGS)

# Real servers on this machine, on loopback: see "Real servers" in docs/operations.md.
services:
	@PYTHON="$(PYTHON)" bash deploy/services/services.sh start

services-stop:
	@PYTHON="$(PYTHON)" bash deploy/services/services.sh stop

test-services: install-dev
	@PYTHON="$(PYTHON)" bash deploy/services/services.sh check
	$(BIN)/python -m pytest tests/contract tests/services --services .services/env -n 2 --dist loadfile $(ARGS)

# By the name under which others look for it.
integration-test: test-services

check: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

eval: install
	$(BIN)/homeguard eval run $(ARGS)

BENCHES := pipeline start mqtt automation schedules fanout reads overload tokens
# One of them alone: make bench BENCHES=reads ARGS=...
bench: install-dev
	@for name in $(BENCHES); do echo "== $$name"; $(BIN)/python -m evals.bench.$$name $(ARGS) || exit 1; done

# Needs `make services`; one run at a time.
bench-engines: install-dev
	$(BIN)/python -m evals.bench.engines $(ARGS)

format: install-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Needs uv on the PATH. Written without the address of any index.
lock:
	uv pip compile -q pyproject.toml --extra build --universal --generate-hashes --no-emit-index-url \
		--python-version 3.11 --custom-compile-command "make lock" -o requirements.lock
	uv pip compile -q pyproject.toml --extra build --extra dev --universal --generate-hashes --no-emit-index-url \
		--python-version 3.11 --custom-compile-command "make lock" -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
