# Works with GNU make 3.81 (macOS) and later. CI=true turns what a machine lacks into a failure.

VENV ?= .venv
BIN = $(VENV)/bin
OUT ?= out
PEERS = tests/node
PYTEST_ARGS ?=
INPUTS ?= 200000
SECONDS ?= 60
SEED ?= 1
SESSIONS ?= 3000
SCENES ?= 200
MINUTES ?= 60
# Whole files go to one worker, because their fixtures are labs and sessions of the real SDK.
PYTEST = -m pytest -n auto --maxprocesses 4 --dist loadfile

READY = $(VENV)/.ready
PEERS_READY = $(PEERS)/node_modules/.package-lock.json

.PHONY: help setup demo test slow coverage lab readings fuzz bench soak lint scenarios healthy scenes wheel site course lock lowest clean peers

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## a virtual environment in .venv with the locked packages

demo: $(READY) ## the main job without a screen: a live session, recorded, verified, drawn (into out/)
	$(BIN)/icws demo --out $(OUT)

test: $(READY) peers ## all tests but those of `make slow`; PYTEST_ARGS="tests/protocol -k bls" for a part
	$(BIN)/python $(PYTEST) -m "not slow and not notebook and not reading" $(PYTEST_ARGS)

slow: $(READY) peers ## the slow tests: notebooks, JupyterLab in a browser, the real SDKs, a canister in Rust, 200 healthy sessions
	$(BIN)/python $(PYTEST) -m "slow or notebook" $(PYTEST_ARGS)

readings: $(READY) ## every notebook in JupyterLab, cell by cell, on two screens in both themes, with and without solutions (pictures: out/screenshots)
	$(BIN)/python -m pytest -n auto --maxprocesses 2 --dist load -m reading $(PYTEST_ARGS)

coverage: $(READY) peers ## the share of branches that the tests take, into docs/coverage.md; fails if protocol/ is not complete
	$(BIN)/coverage erase
	$(BIN)/coverage run $(PYTEST) -m "not slow and not reading" $(PYTEST_ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/python -m docs.coverage
	@echo "wrote docs/coverage.md"

lab: $(READY) ## JupyterLab on the index notebook, with docs/ and data/ in reach
	$(BIN)/jupyter lab --ServerApp.root_dir=$(CURDIR) --LabApp.default_url=/lab/tree/notebooks/00_index.ipynb

fuzz: $(READY) ## coverage-guided fuzzing of every reader, then hostile frames: make fuzz SECONDS=60 INPUTS=1000000 SEED=7
	$(BIN)/python -m bench.fuzz --seconds $(SECONDS)
	ICWS_FUZZ_INPUTS=$(INPUTS) ICWS_FUZZ_SEED=$(SEED) $(BIN)/python -m pytest -q tests/analysis/annotate/test_fuzz.py

bench: $(READY) peers ## the goals of speed beside the real SDK, in one table (docs/benchmarks.md); JSON=FILE writes it
	$(BIN)/python -m bench $(if $(JSON),--json $(JSON))

soak: $(READY) ## an hour of ten clients on a lab at × 60, with faults coming and going; what must stay flat: make soak MINUTES=10
	$(BIN)/python -m bench.soak --minutes $(MINUTES)

lint: $(READY) ## ruff (rules and format) and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

scenarios: $(READY) ## all that goes wrong, simulated and over real sockets, and what the doctor says it is
	$(BIN)/python -m bench.scenarios

healthy: $(READY) ## 3,000 healthy sessions, also on busy machines, in which the doctor must find nothing (some minutes)
	$(BIN)/python -m bench.healthy --sweep $(SESSIONS) --seed $(SEED)

scenes: $(READY) ## 200 random scenes that our model and a canister on the real Rust CDK must play with the same bytes (some minutes)
	ICWS_SCENES=$(SCENES) $(BIN)/python -m pytest -q tests/peers/test_rust_canister.py -k "same_bytes or hold_what" $(PYTEST_ARGS)

site: $(READY) ## the documentation and the course as a site, into out/site; needs no network
	$(BIN)/python -m docs.make_course.execute
	$(BIN)/python -m sphinx --fresh-env --write-all --nitpicky --fail-on-warning --keep-going --quiet docs $(OUT)/site
	@echo "built $(OUT)/site/index.html"

course: $(READY) ## all that a teacher hands out, into out/course: site, copies, slides, PDF, figures, recordings
	$(BIN)/python -m docs.make_course $(OUT)/course

wheel: $(READY) ## the example project's tests with the built wheel in a fresh environment; WASM=FILE: also with a compiled canister
	$(BIN)/python examples/in_a_fresh_environment.py $(if $(WASM),--wasm $(WASM))

lock: ## resolve the packages anew into requirements.lock (in an environment that is set up)
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --extra dev \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  --output-file requirements.lock pyproject.toml

lowest: $(READY) ## the tests with the oldest packages that pyproject.toml allows (in .venv-lowest)
	$(BIN)/uv venv --quiet --clear .venv-lowest
	$(BIN)/uv pip install --quiet --python .venv-lowest --resolution lowest-direct -e '.[dev]'
	.venv-lowest/bin/python $(PYTEST) $(PYTEST_ARGS)

clean: ## remove what was set up and what was made
	rm -rf $(VENV) .venv-lowest $(PEERS)/node_modules $(PEERS)/sdks/*/node_modules tests/peers/rust_canister/target $(OUT) docs/_generated docs/course build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* htmlcov
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
