# make demo   transcribe a sample on this machine: no Redis, no keys, no Docker
# make test   lint, types, layers, tests
# make check  lint, types, layers and the tests that start no programs: under a minute
# make up     the API and the web frontend, until Ctrl-C
# make lint   only lint (also of the Dockerfile), types and layers
# make coverage  the tests once more, with the branches that they take: at least 90 %
# make soak   ten minutes of load while parts are killed, into benchmarks/RESULTS.md: MODELS=folder
# make fuzz   inputs that nobody thought of, for some minutes
# make mutants  faults put into the guards, to see whether their tests notice: GUARDS="net hosts", or all in an hour
# make audit  known faults of our dependencies; asks PyPI and its database
# make bench  measure speech, into benchmarks/RESULTS.md: MODELS="base tiny.en" SPEECH=folder
# make lock   pin the dependencies again

PYTHON ?= python3
MODELS ?= base
SPEECH ?=
GUARDS ?=
SOAK ?= --minutes 10 --write
VENV := .venv
BIN := $(VENV)/bin
PRODUCT := $(VENV)/.product
UI := $(VENV)/.ui
DEV := $(VENV)/.dev
EXTRAS := whisper sphinx gemini openai llm queue s3 otel
LOCK := uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links
SYSTEM_PACKAGES := ffmpeg redis-server node:nodejs npm haproxy promtool:prometheus pg_createcluster:postgresql \
  chromium chromium-headless-shell/chromium

# More than the cores of a small machine, since much of a test is waiting. Without bytecode, which some machines switch
# off, each of the processes would compile all tests anew.
PROCESSES ?= 3
# Threads of Whisper and of NumPy would take a core to wait for their next piece of work.
PYTEST := PYTHONDONTWRITEBYTECODE= KMP_BLOCKTIME=0 OPENBLAS_NUM_THREADS=1 \
  $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder

.PHONY: demo test check coverage soak fuzz mutants audit up lint bench lock clean

demo: $(PRODUCT)
	@$(BIN)/python scripts/demo.py

test: $(DEV) lint
	@sh scripts/system_packages.sh $(SYSTEM_PACKAGES)
	$(PYTEST) --numprocesses $(PROCESSES) --durations 30

check: $(DEV) lint
	$(PYTEST) --numprocesses 2 --quick

# Not in `test`, since on Python 3.11 measuring takes 38 % more CPU time.
coverage: $(DEV)
	@sh scripts/system_packages.sh $(SYSTEM_PACKAGES)
	@rm -rf .coverage && mkdir .coverage
	$(subst -m pytest,-m coverage run -m pytest,$(PYTEST)) --numprocesses $(PROCESSES)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

# Needs Debian's `flite`, whose voice speaks the clips. Seconds of the same run in `test`.
soak: $(DEV)
	PYTHONPATH=tests:. $(BIN)/python -m soak --model $(firstword $(MODELS)) $(SOAK)

# The same tests run with few examples in `test`.
fuzz: $(DEV)
	$(PYTEST) tests/fuzz --hypothesis-profile fuzz --numprocesses $(PROCESSES)

# Prints each fault that no test of its guard has noticed.
mutants: $(DEV)
	$(BIN)/python scripts/mutants.py $(GUARDS)

# Not in `lint`, which works without a network. A dependency that cannot be looked up is a failure.
audit: $(DEV)
	$(BIN)/pip-audit --strict --disable-pip --require-hashes \
	  -r requirements.lock -r requirements-ui.lock -r requirements-dev.lock

up: $(UI)
	@$(BIN)/echostream up

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	$(BIN)/bandit -q -c pyproject.toml -r src scripts deploy

bench: $(DEV)
	$(BIN)/python -m benchmarks $(addprefix --model ,$(MODELS)) $(if $(SPEECH),--speech $(SPEECH))

# Three locks that agree: all but the web frontend, the frontend alone, and everything with what
# develops it.
lock:
	$(LOCK) $(addprefix --extra ,$(EXTRAS)) pyproject.toml -o requirements.lock
	$(LOCK) -c requirements.lock --extra ui pyproject.toml -o requirements-ui.lock
	$(LOCK) -c requirements.lock -c requirements-ui.lock --extra all --group dev pyproject.toml \
	  -o requirements-dev.lock

clean:
	rm -rf $(VENV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "EchoStream needs Python 3.11 or newer; set PYTHON=python3.11 or so."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(PRODUCT): requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing pinned dependencies into $(VENV)"
	@$(BIN)/python -m pip install -q --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -q --no-deps -e .
	@touch $@

$(UI): requirements-ui.lock $(PRODUCT)
	@echo "Installing the web frontend's pinned dependencies into $(VENV)"
	@$(BIN)/python -m pip install -q --no-deps --require-hashes -r requirements-ui.lock
	@touch $@

$(DEV): requirements-dev.lock $(PRODUCT)
	@echo "Installing pinned development dependencies into $(VENV)"
	@$(BIN)/python -m pip install -q --no-deps --require-hashes -r requirements-dev.lock
	@touch $@
