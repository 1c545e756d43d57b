# Two commands do everything on a machine with Python 3.11 or newer:  make lab  and  make test

PYTHON       ?= python3
VENV         ?= .venv
LAB_ARGS     ?=
PYTEST_ARGS  ?=
BENCH_ARGS   ?=
WORKERS      ?= auto

FIRST_NOTEBOOK := notebooks/course/01_one_question.ipynb

BIN       := $(VENV)/bin
PYTEST    := $(BIN)/python -m pytest
INSTALLED := $(VENV)/.installed
# JupyterLab refuses to run as root unless told; in a container there is nobody else.
AS_ROOT   := $(if $(filter 0,$(shell id -u)),--allow-root)
# The lab asks the network for nothing: no look for updates, no list of extensions to install, and no news (nor whether
# they are wanted, which its own settings would ask).
OFFLINE   := --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate --LabApp.extension_manager=readonly
NO_NEWS   := {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}
LAB_HOME  := $(VENV)/share/jupyter/lab/settings

.DEFAULT_GOAL := help
.PHONY: help lab test install lint types unit notebooks browser docs peers bench bench-peers format clean

help: ## say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

lab: install ## open the first notebook in JupyterLab (make lab LAB_ARGS=--no-browser)
	$(BIN)/jupyter lab $(AS_ROOT) $(OFFLINE) --ServerApp.root_dir="$(CURDIR)" \
	  --LabApp.default_url=/lab/tree/$(FIRST_NOTEBOOK) $(LAB_ARGS)

test: lint types unit notebooks browser ## everything that must hold, in the order of how soon it tells

install: $(INSTALLED) ## make the environment in .venv; does nothing while pyproject.toml is unchanged

$(INSTALLED): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no $(PYTHON) here. hermes_nb needs Python 3.11 or newer; name yours: make $(MAKECMDGOALS) PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("hermes_nb needs Python 3.11 or newer; " \
	  "$(PYTHON) is %d.%d. Name a newer one: make $(MAKECMDGOALS) PYTHON=python3.12" % v[:2])'
	@echo "Installing into $(VENV): a minute or two, once."
	@if command -v uv >/dev/null; then \
	  uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV) && uv pip install --quiet --python $(BIN)/python --editable '.[test]'; \
	else \
	  $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --editable '.[test]'; \
	fi
	@mkdir -p $(LAB_HOME) && echo '$(NO_NEWS)' > $(LAB_HOME)/overrides.json
	@touch $@

lint: install ## style, by ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install ## types, by mypy
	$(BIN)/mypy

unit: install ## the library's tests, on all cores (WORKERS=0: one after the other, in one process)
	$(PYTEST) tests --ignore=tests/browser -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

notebooks: install ## every notebook again, its outputs compared with the saved ones
	$(PYTEST) --nbval --nbval-current-env --nbval-sanitize-with notebooks/sanitize.cfg notebooks $(PYTEST_ARGS)

browser: install ## the notebooks as a reader meets them: JupyterLab in Chromium, two at a time
	$(PYTEST) tests/browser -n 2 --dist loadfile $(PYTEST_ARGS)

docs: install ## the reference, made of the docstrings: build/reference/index.html
	$(BIN)/python .ci/reference.py build/reference
	@echo "Open build/reference/index.html"

peers: install ## other people's servers and openai 2, each in an environment of its own (gigabytes, minutes)
	$(PYTEST) tests/peers -v $(PYTEST_ARGS)

bench: install ## what a turn costs, in ratios to the bare openai client
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

bench-peers: install ## the same beside other libraries, each in an environment of its own
	$(BIN)/python -m benchmarks peers $(BENCH_ARGS)

format: install ## lay the code out, and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## forget what was built and cached; the environment stays
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -path ./$(VENV) -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -exec rm -rf {} +
