# `make repro` runs the pipeline, `make test` the tests; each first installs what it needs into .venv, with uv where
# there is one, with pip otherwise, in the versions of constraints.txt. With uv, `make repro TORCH=cpu` fetches a torch
# without CUDA's gigabytes; with pip, set PIP_EXTRA_INDEX_URL to PyTorch's index of CPU wheels for that.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
INSTALLED := .venv/installed
COMPILED := $(addprefix tests/,test_bounds.py test_projection.py test_detection_boxes.py test_detection_detr3d.py \
	test_search.py parity)

SHARE := tests/test_faults.py -k "weights or generate or render or search or evaluate"
REHEARSAL := tests/test_paper.py tests/test_ray.py \
    -k "everything_runs or no_host or weights_come or without_a_published or second_run or test_ray"

ifneq ($(shell command -v uv 2>/dev/null),)
VENV := uv venv --quiet --seed $(if $(PYTHON),--python $(PYTHON))
INSTALL := uv pip install --quiet --python .venv/bin/python $(if $(TORCH),--torch-backend $(TORCH))
else
VENV := $(or $(PYTHON),python3) -m venv
INSTALL := .venv/bin/python -m pip install --quiet
ifneq ($(and $(TORCH),$(if $(PIP_EXTRA_INDEX_URL),,unknown)),)
$(error TORCH=$(TORCH): only uv knows where these wheels are; install uv, or set PIP_EXTRA_INDEX_URL to their index)
endif
endif

.PHONY: install repro test test-all test-share bounds lint sweeps backbones fewshot benchmarks paper

install: $(INSTALLED)

repro: $(INSTALLED)
	python -m stages.commands.check
	dvc repro
	@echo && cat reports/tables/protocols.md && echo "the whole report: $(CURDIR)/reports/index.html"

test: $(INSTALLED)
	pytest -n 2 --dist worksteal -m "not slow"

test-all: $(INSTALLED)
	pytest -n 2 --dist worksteal

# A fixed share of the slow tests, for CI: stages killed at random; then the published run in small, a process, beside a
# Ray cluster, another.
test-share: $(INSTALLED)
	pytest -n 2 --dist worksteal -m slow $(SHARE)
	pytest -n 2 --dist loadfile -m slow $(REHEARSAL)

# The compiled loops once more with every index checked. Numba's cache does not tell checked code from unchecked:
# it has a folder of its own.
bounds: $(INSTALLED)
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$(CURDIR)/.venv/bounds pytest -n 2 --dist loadfile -m 'not slow' $(COMPILED)

lint: $(INSTALLED)
	ruff check .
	ruff format --check .

# The experiment sets of params.yaml's `sweep`, listed in reports/experiments for the report.
sweeps: $(INSTALLED)
	python -m stages.commands.sweep kernels renderings view_sets text_inputs combinations

# The zero-shot figures of every modern backbone, whose weights open_clip fetches; for a machine with a network and a GPU.
backbones: $(INSTALLED)
	python -m stages.commands.sweep backbones

# The few-shot methods on the bundled data, whose figures are kept in reports/experiments for the report.
fewshot: $(INSTALLED)
	python -m stages.commands.archive_fewshot home_objects bundled

# What the report says about speed, each figure a ratio of one run; half an hour on two cores.
benchmarks: $(INSTALLED)
	for bench in tests/benchmarks/bench_*.py; do python $$bench || exit 1; done

# The published selection, in .runs/paper; looks at everything that it needs, prints it with disk and time, and asks first.
# `python -m stages.commands.reproduce --check` looks alone.
paper: $(INSTALLED)
	python -m stages.commands.reproduce

$(INSTALLED): pyproject.toml constraints.txt
	test -x .venv/bin/python || $(VENV) .venv
	$(INSTALL) --constraint constraints.txt --editable '.[dev]'
	touch $@
