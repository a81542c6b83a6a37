# `make repro` runs the pipeline, `make test` the tests; each installs what it needs into .venv first.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
INSTALLED := .venv/installed

.PHONY: repro test lint kernels

repro: $(INSTALLED)
	dvc repro
	@echo && cat reports/tables/zeroshot.md && echo && echo 'figures: reports/figures   tables: reports/tables'

test: $(INSTALLED)
	pytest

lint: $(INSTALLED)
	ruff check .
	ruff format --check .

# The report's kernel comparison: one set of DVC experiments, listed in reports/experiments for the report stage.
kernels: $(INSTALLED)
	dvc exp run --queue --set-param 'render.smooth.kernel=gaussian,exponential,mish,sigmoid' evaluate
	dvc exp run --run-all
	dvc exp show --csv --hide-workspace --drop 'Created|rev|typ|parent|State|Executor|^data|^stages|^prompts|^dvc|reports/' > reports/experiments/kernels.csv

$(INSTALLED): pyproject.toml constraints.txt
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
