# Every verb a contributor needs. Each makes its own .venv from the hash-locked files.
# The first of these that is new enough; PYTHON=... says otherwise.
PYTHON ?= $(shell for it in python3 python3.13 python3.12 python3.11; do \
              $$it -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$it && break; done)
VENV   := .venv
BIN    := $(VENV)/bin
# Hashes for every wheel of a version, and no word of where they came from.
LOCK   := $(BIN)/pip-compile --quiet --generate-hashes --no-header --strip-extras \
          --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.PHONY: help demo run check test test-slow bench lock clean
help:  ## list the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

# pip is the last that venv makes: half a .venv is none.
$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed; none was found. PYTHON=/path/to/it names one." >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); echo "On Debian and Raspberry Pi OS: apt install python3-venv" >&2; exit 1; }

# The two stamps say which lock file the .venv was last filled from.
$(VENV)/.runtime: requirements.txt requirements-build.txt pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.txt -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

demo: $(VENV)/.runtime  ## a whole day against the simulated gateway, sped up
	$(BIN)/tou-scheduler demo

check: $(VENV)/.dev  ## style, types, floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(VENV)/.dev  ## the tests
	$(BIN)/pytest -n 2

test-slow: $(VENV)/.dev  ## the long searches, which take minutes
	$(BIN)/pytest -n 2 -m slow

bench: $(VENV)/.runtime  ## the figures of the README, measured here
	$(BIN)/python tests/benchmarks.py

lock: $(VENV)/.dev  ## write the lock files anew
	$(LOCK) --only-build-deps --build-deps-for editable -o requirements-build.txt pyproject.toml
	$(LOCK) -o requirements.txt pyproject.toml
	$(LOCK) --allow-unsafe --extra dev -c requirements.txt -c requirements-build.txt -o requirements-dev.txt pyproject.toml

clean:  ## remove what make made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis
