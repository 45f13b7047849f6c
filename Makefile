# The two commands of a fresh machine are `make fit` and `make test`; both set up what they need.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
WORKERS ?= auto
SECONDS ?= 600
SEED ?= 1

# Small steps want one thread each; the workers use the cores.
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help fit test check docs fuzz clean

help: ## Show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

fit: $(VENV)/.run ## Set up, then compile and fit a real example: eight schools
	$(BIN)/compile-and-fit examples/eight_schools/eight_schools.ppl \
		--data examples/eight_schools/eight_schools.csv --seed 1 --out examples/eight_schools/fit

test: $(VENV)/.dev ## Set up, then run the tests
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

check: $(VENV)/.dev ## Lint, check the formatting and the types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fuzz: $(VENV)/.dev ## Look for faults with random input: make fuzz SECONDS=600 SEED=1 [ONLY=specs,ir]
	$(BIN)/python -m fuzz --seconds $(SECONDS) --seed $(SEED) $(if $(ONLY),--only $(ONLY))

docs: $(VENV)/.dev ## Regenerate the reference pages and the parser's tables
	$(BIN)/python -m grammar.tables
	$(BIN)/python -m compiler.tables.reference
	$(BIN)/python -m compiler.tables.guide_reference
	$(BIN)/python -m compiler.tables.function_reference
	$(BIN)/python -m compiler.diagnostics.reference
	$(BIN)/python -m compiler.cli.reference

clean: ## Remove the environment and all caches
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "pplc needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
			"Name another with: make PYTHON=python3.12 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/.python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[sampling]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,sampling]'
	@touch $@ $(VENV)/.run
