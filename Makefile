# make run: the benchmark on the small built-in phantom, from nothing.   make test: tests and lint (ruff, mypy, import floors, sizes).
# make leaderboard: every method, three seeds, the phantoms (days; stops and goes on).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

METHODS := thresholding voxel-statistics andi anoddpm autoddpm dae ae vae

.PHONY: install run leaderboard test slow lint

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

run: install
	$(BIN)/python -m benchmark run --method andi

leaderboard: install
	for data in phantom phantom-ms phantom-small; do \
		$(BIN)/python -m benchmark run $(METHODS:%=--method %) --seed 0 --seed 1 --seed 2 \
			--dataset $$data --preset quick || exit 1; \
	done
	$(BIN)/python -m benchmark compare --markdown leaderboard/phantom.md --figures leaderboard/results/phantom \
		--html workspace/leaderboard/phantom.html

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
