# make run: the benchmark on the built-in phantom, from nothing.   make test: tests, ruff, mypy.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install run test slow lint

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

run: install
	$(BIN)/python -m benchmark run --method andi

test: install lint
	$(BIN)/python -m pytest -m 'not slow'

slow: install
	$(BIN)/python -m pytest -m slow

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
