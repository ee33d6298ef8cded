# Each target sets up what it needs: `make demo`, `make test`. Stamps in the virtual environment
# keep it from being installed twice.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000

export PIP_DISABLE_PIP_VERSION_CHECK = 1
# The tests start some hundred servers: none of them shall compile what an earlier one has.
unexport PYTHONDONTWRITEBYTECODE

# Tests wait more than they compute; tests/order.py says which stay together.
PARALLEL ?= -n 6 --dist loadgroup --no-loadscope-reorder

BIN = $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet

.PHONY: help demo test early newest lint docs quick pytest compiled transports servers suite coverage conformance soak chaos bench clean

help:
	@echo "make demo      serve the examples on http://127.0.0.1:$(PORT)/ (PORT=8001 for another)"
	@echo "               WORKERS=4: as many processes of gunicorn, and nothing between them"
	@echo "               REDIS=1: two processes of gunicorn, and Redis between them"
	@echo "make test      lint, documentation, and all tests"
	@echo "make lint      ruff and mypy"
	@echo "make docs      build the documentation into build/docs"
	@echo "make quick     the tests that start no server, without coverage, in less than a minute"
	@echo "make pytest    all tests; ARGS='-k chat' for some"
	@echo "make coverage  all tests, with coverage"
	@echo "make conformance  the Autobahn suite on four servers; ARGS='1-7,10' for some groups"
	@echo "make soak      200,000 connections and 2,000,000 messages: does anything grow?"
	@echo "make chaos     200 attackers at a time: do others notice? ARGS='uvicorn --seconds 20' for one"
	@echo "make bench     measure"
	@echo "make clean     remove the virtual environment and everything built"

demo: $(VENV)/.demo $(if $(WORKERS),$(VENV)/.demo-workers) $(if $(REDIS),$(VENV)/.demo-redis)
	@echo
	@echo "  The examples: http://127.0.0.1:$(PORT)/    (Ctrl-C ends)"
	@echo
	@$(BIN)/python examples/manage.py migrate --verbosity 0
ifdef REDIS
	@$(BIN)/python examples/run_with_redis.py -b 127.0.0.1:$(PORT)
else ifdef WORKERS
	@cd examples && ../$(BIN)/python -m gunicorn -k gthread --threads 8 -w $(WORKERS) -b 127.0.0.1:$(PORT) demo.wsgi
else
	@$(BIN)/python examples/manage.py runserver 127.0.0.1:$(PORT)
endif

test:
	$(MAKE) early
	$(MAKE) servers

# Each keeps one core busy, or waits. CI has one more.
EARLY ?= lint docs compiled transports
early: $(VENV)/.test
	$(MAKE) --jobs --output-sync=target $(EARLY)

# The same tests on a second Python: NEWEST, in NEWEST_VENV.
newest:
	$(MAKE) compiled PYTHON=$(NEWEST) VENV=$(NEWEST_VENV)

lint: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/.test
	$(BIN)/sphinx-build -q -W --keep-going docs build/docs

quick: $(VENV)/.test
	$(BIN)/python -m pytest -q $(PARALLEL) tests/protocol tests/glue tests/transports $(ARGS)

pytest: $(VENV)/.test
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

# pytest compiles what it collects, and with many processes each of them would do all of it.
compiled: $(VENV)/.test
	$(BIN)/python -m pytest --collect-only -qq >/dev/null || true  # seen below

# Threads with a gevent hub come and go in tests/transports. At their end greenlet calls back, and
# there CPython 3.11 may trace one line for ever: these run without coverage.
transports: $(VENV)/.test
	$(BIN)/python -m pytest -n 3 --dist loadgroup tests/transports

suite:
	$(MAKE) transports
	$(MAKE) servers

# Chaos takes all that the machine has: nothing that waits for its answer in time runs beside it.
servers: $(VENV)/.test
	$(BIN)/python -m pytest tests/soak/test_chaos.py
	$(BIN)/$(or $(MEASURE),python) -m pytest $(PARALLEL) --ignore tests/transports --ignore tests/soak/test_chaos.py $(ARGS)

# A quarter more than without: whoever changes much runs it, and CI does not.
coverage: $(VENV)/.test
	$(BIN)/coverage erase
	$(MAKE) suite MEASURE="coverage run"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

conformance: $(VENV)/.test
	$(BIN)/python -m conformance $(ARGS)

soak: $(VENV)/.test
	$(BIN)/python -m soak $(ARGS)

chaos: $(VENV)/.test
	$(BIN)/python -m soak.chaos $(or $(ARGS),gunicorn-gthread)

bench: $(VENV)/.bench
	$(BIN)/python -m bench $(ARGS)

clean:
	rm -rf $(VENV) build dist dwebsocket.egg-info .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache

$(BIN)/python:
	.ci/virtualenv $(PYTHON) $(VENV)

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(INSTALL) -e .
	@touch $@

$(VENV)/.demo-workers: $(VENV)/.demo
	$(INSTALL) gunicorn
	@touch $@

$(VENV)/.demo-redis: $(VENV)/.demo
	.ci/debian-packages redis-server
	$(INSTALL) -e ".[redis]" gunicorn
	@touch $@

# Debian's packages come while pip installs what is built without any of them.
PROGRAMS = chromium firefox-esr redis-server postgresql nginx haproxy gcc libcrypt-dev libssl-dev python3-dev
OTHERS = --group packages --group lint --group docs

$(VENV)/.test: pyproject.toml | $(BIN)/python
	$(INSTALL) --upgrade pip
	.ci/debian-packages $(PROGRAMS) & $(INSTALL) $(OTHERS); wait $$!
	$(INSTALL) -e . --group test $(OTHERS)
	@touch $@

$(VENV)/.bench: pyproject.toml | $(BIN)/python
	.ci/debian-packages gcc libcrypt-dev libssl-dev python3-dev
	$(INSTALL) --upgrade pip
	$(INSTALL) -e . --group bench
	@touch $@
