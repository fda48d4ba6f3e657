# Works on a bare clone with nothing but python3 and make: every target first makes .venv.
# Another interpreter: make test PYTHON=python3.12. Another folder for the run: make run LOGDIR=runs/mine.
PYTHON ?= python3
LOGDIR ?= runs/pets
WORKERS ?= 2
TESTS ?= tests

BIN := .venv/bin
STAMP := .venv/.installed
# Byte code is left to the first import, which compiles only what is used; compiling all takes 38 s of a core.
INSTALL := python -m pip install -qq --no-compile --disable-pip-version-check

# The first python3.12 that really runs: on PATH (a pyenv shim may not), else one that pyenv keeps.
NEWEST_PYTHON ?= $(shell for p in python3.12 "$$(pyenv root 2>/dev/null)"/versions/3.12*/bin/python; \
	do "$$p" -c 'import ensurepip' 2>/dev/null && echo "$$p" && break; done)

.DEFAULT_GOAL := help
.PHONY: help run test test-all test-newest newest-python contract figures bench export lint lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(STAMP) ## PETS learns to swing a cart-pole up, in a few minutes
	$(BIN)/imaginax train pets --preset laptop --logdir $(LOGDIR)
	@echo
	@echo "learning curve  $(LOGDIR)/figures/return.png"
	@echo "the swing-up    $(LOGDIR)/media/episode.gif"

test: $(STAMP) ## the quick tests; TESTS=tests/envs for a part of them
	$(BIN)/python -m pytest -q -n $(WORKERS) --durations=10 -m "not slow" $(TESTS)

test-all: $(STAMP) ## all tests, with those that take long
	$(BIN)/python -m pytest -q -n $(WORKERS) --durations=10 $(TESTS)

# A short lane: these are checked with the locked releases alone.
LOCKED_ALONE := contract arena docs test_notebooks.py test_style.py
test-newest: ## the quick tests on python 3.12 with the newest releases that pyproject.toml allows
	@test -n "$(NEWEST_PYTHON)" || { echo "No python3.12 here: name one with NEWEST_PYTHON=..." >&2; exit 1; }
	"$(NEWEST_PYTHON)" -m venv --clear .venv-newest
	.venv-newest/bin/$(INSTALL) -e ".[brax,chess,connect-four,control,export,gym,test]"
	.venv-newest/bin/python -m pytest -q -n $(WORKERS) -m "not slow" \
		-W default::DeprecationWarning $(LOCKED_ALONE:%=--ignore tests/%) $(TESTS)

newest-python:
	@echo "$(NEWEST_PYTHON)"

contract: $(STAMP) ## what holds for every system, with a table of figures (docs/PROMISES.md)
	$(BIN)/python -m pytest -q -n $(WORKERS) tests/contract

figures: $(STAMP) ## draw every figure from results/
	@for script in experiments/figures/*.py; do echo "$$script"; $(BIN)/python "$$script" || exit 1; done

bench: $(STAMP) ## measure speed beside the machine's own limits; writes results/
	@for script in benchmarks/*.py; do echo "$$script"; $(BIN)/python "$$script" || exit 1; done

export: $(STAMP) ## lower every system's programs for tpu, cuda and cpu, from any machine
	$(BIN)/imaginax export all

lint: $(STAMP) ## ruff and pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

lock: $(STAMP) ## write requirements.txt anew from pyproject.toml; versions already in it stay
	$(BIN)/$(INSTALL) pip-tools
	mkdir -p build && cp requirements.txt build/pins.txt
	$(BIN)/pip-compile -q --extra brax --extra chess --extra connect-four --extra control --extra export --extra gym --extra test --strip-extras --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --output-file build/pins.txt pyproject.toml
	{ grep '^#' requirements.txt; grep '==' build/pins.txt; } > build/requirements.txt
	mv build/requirements.txt requirements.txt

clean: ## remove the environments and caches; runs stay
	rm -rf .venv .venv-newest build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "imaginax needs python 3.11 or newer, which '$(PYTHON)' is not: try make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make virtual environments (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "Installing into .venv: once, about a minute ..."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/$(INSTALL) -r requirements.txt
	@$(BIN)/$(INSTALL) --no-deps -e .
	@touch $@
