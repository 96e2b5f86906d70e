# Everything is set up on first use: `make demo` and `make test` need only Python 3.11+ and make.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow fuzz check format clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## create .venv and install everything into it

demo: setup ## train a small translator on the corpus in data/, score it and try it
	@bash scripts/demo.sh

test: check ## check, then run the quick tests
	$(BIN)/python -m pytest -n auto --dist loadfile

test-slow: setup ## run the tests that take long
	$(BIN)/python -m pytest -n auto -m slow

MINUTES ?= 10

fuzz: setup ## give every reader random inputs, for MINUTES=10
	@end=$$(( $$(date +%s) + 60 * $(MINUTES) )); while [ $$(date +%s) -lt $$end ]; do \
		$(BIN)/python -m pytest -n auto tests/fuzz --hypothesis-profile=fuzz || exit 1; done

check: setup ## lint, formatting, types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

format: setup ## format the code and fix what can be fixed
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean: ## remove .venv and all caches; runs/ stays
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	find seq2seq scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Making the environment again over an old or half-made one mends it, so it needs no rule of its own.
$(INSTALLED): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$$($(PYTHON) --version) is too old: seq2seq needs 3.11 or newer," \
		"for example: make setup PYTHON=python3.12" >&2; exit 1; }
	@echo "Installing into .venv; PyTorch is large, this can take some minutes ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-input -c constraints.txt -e '.[dev]'
	@touch $@
