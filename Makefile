# Works on a bare clone with nothing but python and make: every target first makes .venv, with the newest python.
# Another interpreter: make test PYTHON=python3.12. Another folder for the run: make run LOGDIR=runs/mine.
LOGDIR ?= runs/pets
WORKERS ?= 2
TESTS ?= tests

BIN := .venv/bin
STAMP := .venv/.installed
# Byte code is left to the first import, which compiles only what is used; compiling all takes 38 s of a core.
INSTALL := python -m pip install -qq --no-compile --disable-pip-version-check

# The first of these versions that really runs (a pyenv shim may not): on PATH, else one that pyenv keeps.
find_python = for version in $(1); do IFS=:; for folder in $$PATH $$(pyenv root 2>/dev/null)/versions/*/bin; do \
	"$$folder/python3.$$version" -c 'import ensurepip, venv' 2>/dev/null && echo "$$folder/python3.$$version" \
	&& exit; done; done
PYTHON ?= $(or $(shell $(call find_python,13 12 11)),python3)
OLDEST_PYTHON ?= $(shell $(call find_python,11))

.DEFAULT_GOAL := help
.PHONY: help run test test-all test-oldest newest-python oldest-python contract figures bench export lint lock clean

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

# A short lane: these are checked with the newest python alone.
NEWEST_ALONE := contract arena docs test_notebooks.py test_style.py
test-oldest: ## the quick tests on python 3.11, whose newest jax is an older one
	@test -n "$(OLDEST_PYTHON)" || { echo "No python3.11 here: name one with OLDEST_PYTHON=..." >&2; exit 1; }
	"$(OLDEST_PYTHON)" -m venv --clear .venv-oldest
	.venv-oldest/bin/$(INSTALL) -r requirements.txt
	.venv-oldest/bin/$(INSTALL) --no-deps -e .
	.venv-oldest/bin/python -m pytest -q -n $(WORKERS) -m "not slow" $(NEWEST_ALONE:%=--ignore tests/%) $(TESTS)

newest-python oldest-python:
	@echo "$(if $(filter newest%,$@),$(PYTHON),$(OLDEST_PYTHON))"

contract: $(STAMP) ## what holds for every system, with a table of figures (docs/PROMISES.md)
	$(BIN)/python -m pytest -q -n $(WORKERS) tests/contract

figures: $(STAMP) ## draw every figure from results/
	@for script in experiments/figures/*.py; do echo "$$script"; $(BIN)/python "$$script" || exit 1; done

bench: $(STAMP) ## measure speed beside the machine's own limits; writes results/
	@for script in benchmarks/*.py; do echo "$$script"; $(BIN)/python "$$script" || exit 1; done

export: $(STAMP) ## lower every system's programs for tpu, cuda and cpu, from any machine
	$(BIN)/imaginax export all

lint: $(STAMP) ## ruff, pyright and the layers of modules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-logo --no-cache

EXTRAS := brax chess connect-four control export gym test
lock: $(STAMP) ## write requirements.txt anew from pyproject.toml; versions already in it stay
	$(BIN)/$(INSTALL) uv
	mkdir -p build && cp requirements.txt build/pins.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 $(EXTRAS:%=--extra %) \
		--no-header --no-annotate --output-file build/pins.txt pyproject.toml
	{ grep '^#' requirements.txt; grep '==' build/pins.txt; } > build/requirements.txt
	mv build/requirements.txt requirements.txt

clean: ## remove the environments and caches; runs stay
	rm -rf .venv .venv-oldest build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements.txt
	@python="$(PYTHON)"; \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "imaginax needs python 3.11 or newer, which '$$python' is not: try make PYTHON=python3.12" >&2; exit 1; }; \
	"$$python" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$$python' cannot make virtual environments (on Debian and Ubuntu: apt install python3-venv)" >&2; \
		exit 1; }; \
	"$$python" -c 'import platform; print("Installing into .venv with Python", platform.python_version(), end="")' \
		&& echo ": once, about a minute ..." && "$$python" -m venv --clear .venv
	@$(BIN)/$(INSTALL) -r requirements.txt
	@$(BIN)/$(INSTALL) --no-deps -e .
	@touch $@
