# Every verb a contributor needs. Each makes its own .venv from the hash-locked files.
# The first of these that is new enough; PYTHON=... says otherwise.
PYTHON ?= $(shell for it in python3 python3.13 python3.12 python3.11; do \
              $$it -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$it && break; done)
VENV   := .venv
BIN    := $(VENV)/bin
# Where `make install` puts the program, and the link that people call.
PREFIX := /opt/tou-scheduler
BINDIR := /usr/local/bin
# Hashes for every wheel of a version, and no word of where they came from.
LOCK   := $(BIN)/pip-compile --quiet --generate-hashes --no-header --strip-extras \
          --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.PHONY: help demo install uninstall check test test-slow test-pythons mutants promises bench lock package wheels sbom tools clean
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

install:  ## as root: the program for the whole machine, or the newer version of it
	@PYTHON="$(if $(filter file,$(origin PYTHON)),,$(PYTHON))" PREFIX="$(PREFIX)" BINDIR="$(BINDIR)" sh deploy/install.sh

uninstall:  ## as root: remove what install made
	@PREFIX="$(PREFIX)" BINDIR="$(BINDIR)" sh deploy/uninstall.sh

check: $(VENV)/.dev  ## style, types, floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Twice as many workers as the two processors that this is measured on: many tests wait for a process, or for its next look.
# They start the program some hundreds of times: whoever has Python keep no compiled files would compile it each time.
test: $(VENV)/.dev  ## the tests
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest -n 4

# Longer than that, and something hangs.
SLOW_LIMIT ?= 90m

test-slow: $(VENV)/.dev  ## the long searches and the real proofs, which take minutes; some need root and `make tools`
	timeout --kill-after=60 $(SLOW_LIMIT) $(BIN)/pytest -n 2 --dist loadfile -m slow -rs $(if $(SLOW_REPORT),--junitxml=$(SLOW_REPORT))

# pyenv answers to python3.12 even where it has none in use; its own folders say what there is.
test-pythons:  ## the tests under each Python that we promise and this machine has
	@for version in 3.11 3.12 3.13; do \
	    found=; for it in python$$version "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/$$version.*/bin/python$$version; do \
	        if $$it -c '' 2>/dev/null; then found=$$it; break; fi; \
	    done; \
	    if [ -z "$$found" ]; then echo "Python $$version: skipped, this machine has none"; continue; fi; \
	    echo "Python $$version: $$found"; \
	    $(MAKE) --no-print-directory test PYTHON=$$found VENV=build/python$$version || exit 1; \
	done

mutants: $(VENV)/.dev  ## plant each bug of tests/mutants in a copy, and see that the tests notice it
	$(BIN)/python tests/mutants.py

promises: $(VENV)/.dev  ## write anew which test holds which promise, into tests/promises.md
	$(BIN)/python tests/promises.py

tools:  ## as root, on Debian: what the real proofs of test-slow boot, build and look with
	apt-get update
	apt-get install --yes --no-install-recommends debootstrap systemd-container buildah strace

bench: $(VENV)/.runtime  ## the figures of the README, measured here
	$(BIN)/python tests/benchmarks.py

lock: $(VENV)/.dev  ## write the lock files anew
	$(LOCK) --only-build-deps --build-deps-for editable -o requirements-build.txt pyproject.toml
	$(LOCK) -o requirements.txt pyproject.toml
	$(LOCK) --allow-unsafe --extra dev -c requirements.txt -c requirements-build.txt -o requirements-dev.txt pyproject.toml

# The time of the last commit, so that everybody builds the same bytes from it; hatchling has its own where there is none.
package: $(VENV)/.dev  ## wheel and sdist into dist/
	rm -rf dist
	@epoch=$$(git log -1 --format=%ct 2>/dev/null) && export SOURCE_DATE_EPOCH=$$epoch; $(BIN)/hatchling build

wheels: $(VENV)/.dev  ## prove that every locked package comes as a wheel for each machine and Python that we promise
	$(BIN)/python tests/wheels.py

# A package is named by its purl and its hashes. Where it was fetched from is nobody's business: -i names no index.
# The lock file does not say who needs whom; the tool warns that the bill does not say it either.
sbom: $(VENV)/.dev  ## the bill of materials of what is installed, CycloneDX, into build/sbom.json
	@mkdir -p build
	PYTHONWARNINGS=ignore::UserWarning $(BIN)/cyclonedx-py requirements -i . --pyproject pyproject.toml \
	    --mc-type application --output-reproducible --of JSON -o build/sbom.json requirements.txt

clean:  ## remove what make made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis
