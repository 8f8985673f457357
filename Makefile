# make run: the benchmark on the small built-in phantom, from nothing.   make test: tests and lint (ruff, mypy, import floors, sizes).
# make docs: the site, in site/.   make lowest: quick tests with the lowest versions allowed.   make coverage, make wheel.
# make leaderboard: what the table of the phantoms lacks (days; stops and goes on).   make leaderboard-tables: all tables, from leaderboard/results.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install run leaderboard leaderboard-tables test slow lint docs notebooks lowest coverage wheel

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

run: install
	$(BIN)/python -m benchmark run --method andi

leaderboard: install
	$(BIN)/python -m benchmark leaderboard phantom

leaderboard-tables: install
	$(BIN)/python -m benchmark leaderboard --tables
	$(BIN)/python -m scripts.readme_table
	$(BIN)/python -m scripts.results_table

test: install lint
	$(BIN)/python -m pytest -m 'not slow' --ignore tests/test_architecture.py -n auto --maxprocesses 4 --dist worksteal

slow: install
	$(BIN)/python -m pytest -m slow

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/test_architecture.py

docs: install
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

notebooks: install
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	$(BIN)/python -m scripts.notebooks

lowest: install
	$(BIN)/python -m scripts.lowest .venv-lowest

coverage: install
	$(BIN)/python -m pip install --quiet pytest-cov
	$(BIN)/python -m pytest -m 'not slow' -n auto --maxprocesses 4 --dist worksteal --cov --cov-report=
	$(BIN)/python -m coverage report | tee coverage.txt

wheel: install
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
