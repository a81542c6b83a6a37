# `make repro` runs the pipeline, `make test` the tests; each installs what it needs into .venv first.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
INSTALLED := .venv/installed
COMPILED := $(addprefix tests/,test_bounds.py test_projection.py test_detection_boxes.py test_detection_detr3d.py \
	test_search.py parity)

.PHONY: repro test bounds lint sweeps benchmarks paper

repro: $(INSTALLED)
	dvc repro
	@echo && cat reports/tables/protocols.md && echo && echo "the whole report: $(CURDIR)/reports/index.html"

test: $(INSTALLED)
	pytest -n 2 --dist loadfile

# The compiled loops once more with every index checked. Numba's cache does not tell checked code from unchecked:
# it has a folder of its own.
bounds: $(INSTALLED)
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$(CURDIR)/.venv/bounds pytest -n 2 --dist loadfile -m 'not slow' $(COMPILED)

lint: $(INSTALLED)
	ruff check .
	ruff format --check .

# The experiment sets of params.yaml's `sweep`, listed in reports/experiments for the report.
sweeps: $(INSTALLED)
	python -m stages.sweep kernels view_sets text_inputs

# What the report says about speed, each figure a ratio of one run; half an hour on two cores.
benchmarks: $(INSTALLED)
	for bench in tests/benchmarks/bench_*.py; do python $$bench || exit 1; done

# The published selection; prints what it will fetch, its terms, disk, time and cost, and asks before it starts.
paper: $(INSTALLED)
	python -m stages.paper

$(INSTALLED): pyproject.toml constraints.txt
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
