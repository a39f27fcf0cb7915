# Works with GNU make 3.81 (macOS) and later. CI=true turns what a machine lacks into a failure.

VENV ?= .venv
BIN = $(VENV)/bin
OUT ?= out
PEERS = tests/node
PYTEST_ARGS ?=
INPUTS ?= 200000
SEED ?= 1
# Whole files go to one worker, because their fixtures are labs and sessions of the real SDK.
PYTEST = -m pytest -n auto --maxprocesses 4 --dist loadfile

READY = $(VENV)/.ready
PEERS_READY = $(PEERS)/node_modules/.package-lock.json

.PHONY: help setup demo test lab fuzz bench lint site lock lowest clean peers

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## a virtual environment in .venv with the locked packages

demo: $(READY) ## the main job without a screen: a live session, recorded, verified, drawn (into out/)
	$(BIN)/icws demo --out $(OUT)

test: $(READY) peers ## every test; PYTEST_ARGS="tests/protocol -k bls" for a part
	$(BIN)/python $(PYTEST) $(PYTEST_ARGS)

lab: $(READY) ## JupyterLab on the index notebook
	$(BIN)/jupyter lab notebooks/00_index.ipynb

fuzz: $(READY) ## hostile frames without end in sight: make fuzz INPUTS=1000000 SEED=7
	ICWS_FUZZ_INPUTS=$(INPUTS) ICWS_FUZZ_SEED=$(SEED) $(BIN)/python -m pytest -q tests/analysis/annotate/test_fuzz.py

bench: $(READY) ## what decoding, verifying and simulating cost on this machine
	$(BIN)/python -m bench

lint: $(READY) ## ruff (rules and format) and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

scenarios: $(READY) ## all that goes wrong, simulated and over real sockets, and what the doctor says it is
	$(BIN)/python -m bench.scenarios

site: $(READY) ## the documentation as a site, into out/site; needs no network
	$(BIN)/python -m sphinx --fresh-env --write-all --nitpicky --fail-on-warning --keep-going --quiet docs $(OUT)/site
	@echo "built $(OUT)/site/index.html"

lock: ## resolve the packages anew into requirements.lock (in an environment that is set up)
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --extra dev \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  --output-file requirements.lock pyproject.toml

lowest: $(READY) ## the tests with the oldest packages that pyproject.toml allows (in .venv-lowest)
	$(BIN)/uv venv --quiet --clear .venv-lowest
	$(BIN)/uv pip install --quiet --python .venv-lowest --resolution lowest-direct -e '.[dev]'
	.venv-lowest/bin/python $(PYTEST) $(PYTEST_ARGS)

clean: ## remove what was set up and what was made
	rm -rf $(VENV) .venv-lowest $(PEERS)/node_modules $(PEERS)/sdks/*/node_modules $(OUT) docs/_generated build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The first Python that is new enough makes the environment; the stamp is written last, so a set-up
# that was interrupted is done again.
$(READY): pyproject.toml requirements.lock
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11 python3.14; do \
	  if command -v $$python >/dev/null 2>&1 && \
	    $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "setting up $(VENV) with $$($$python --version) (once, some minutes)"; \
	    test -x $(BIN)/python || exec $$python -m venv $(VENV); exit 0; \
	  fi; \
	done; \
	echo "no Python 3.11 or later with venv found: install one, or name it: make setup PYTHON=/path/to/python3" >&2; exit 1
	@if test "$$(uname -sm)" = "Darwin x86_64" && ! command -v cargo >/dev/null 2>&1; then \
	  echo "cbor2 and cryptography have no wheels for Intel macOS: install Rust first (brew install rust)" >&2; exit 1; \
	fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# The real JavaScript SDK and the agents, for the tests marked `node`. Without npm those are skipped, and say so.
peers:
	@if ! command -v npm >/dev/null 2>&1; then \
	  echo "npm is missing: the tests against the real JavaScript SDK cannot run (install Node.js 18 or later)" >&2; \
	  test "$$CI" != true; \
	elif ! $(MAKE) --no-print-directory $(PEERS_READY); then \
	  echo "npm ci failed in $(PEERS): the tests against the real JavaScript SDK cannot run" >&2; \
	  test "$$CI" != true; \
	fi

$(PEERS_READY): $(PEERS)/package.json $(PEERS)/package-lock.json
	cd $(PEERS) && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@
