# Two commands are enough: `make run` and `make test`. Each sets up what it needs, once.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test check fmt clean setup web system-packages lock

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(VENV)/uv/bin/uv
UV_VERSION := 0.13.8
PLUGINS := espeak fasterwhisper piper pocketsphinx script

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

# --- set-up, each step once -------------------------------------------------------------------------------------------

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "voiceworker needs Python 3.11 or newer; this is $$($(PYTHON) --version). Say which: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python lacks its venv module: apt-get install python3-venv (Debian, Ubuntu), then try again"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PYTHON) -m venv $(VENV)/uv
	$(VENV)/uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.installed: requirements.lock pyproject.toml $(wildcard plugins/*/pyproject.toml) | $(UV)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps -e . $(foreach p,$(PLUGINS),-e plugins/livekit-plugins-$(p))
	@touch $@

WEB_SOURCES := $(shell find web -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix web

web/node_modules/.installed: web/package-lock.json $(VENV)/.installed
	$(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/index.html: web/node_modules/.installed $(WEB_SOURCES)
	$(NPM) run --silent build

web: web/dist/index.html ## build the page

setup: $(VENV)/.installed web/dist/index.html ## install everything into .venv and build the page

# --- use --------------------------------------------------------------------------------------------------------------

run: setup ## start it all and talk: prints the page's address
	@exec $(BIN)/voiceworker up

test: setup system-packages ## every test
	$(BIN)/voiceworker prepare
	$(BIN)/pytest
	$(NPM) test --silent

check: $(VENV)/.installed web/node_modules/.installed ## the gate: format, lint, types, import contracts, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p voiceworker -p tools $(foreach p,$(PLUGINS),-p livekit.plugins.$(p))
	$(BIN)/mypy agent.py
	$(BIN)/lint-imports
	$(BIN)/pytest -q -n auto -m "not system and not slow and not lab"
	$(NPM) run --silent lint

fmt: $(VENV)/.installed ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove what was built; var/ and .env stay
	rm -rf $(VENV) web/node_modules web/dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

lock: $(UV) ## resolve the dependencies anew
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
		--group dev $(foreach p,$(PLUGINS),--no-emit-package livekit-plugins-$(p)) pyproject.toml --output-file requirements.lock

# Programs of the system that the tests use: a browser, callers' voices, sound tools, namespaces.
PACKAGES := chromium flite sox redis-server iproute2 nftables tcpdump
system-packages:
	@bash tests/system-packages.sh $(PACKAGES)
