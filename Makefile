# A fresh machine needs Python >= 3.11, make and git; everything else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable
SNAKEMAKE := $(BIN)/snakemake --profile profiles/local

CONFIG ?= config/config.yaml

.PHONY: setup demo sources test slurm lint bench docs clean

setup: .venv/.runtime

# What running the workflow needs.
.venv/.runtime: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) .
	touch $@

# What testing and benchmarking it need besides.
.venv/.development: .venv/.runtime
	$(INSTALL) .[test,bench]
	touch $@

# The whole workflow on the phantom cohort.
demo: setup
	$(SNAKEMAKE) all
	$(BIN)/python -m pipeline.stages.show_leaderboard results/report

# What a configuration would fetch, how large it is, and who may have it: make sources CONFIG=config/full.yaml
sources: setup
	@$(BIN)/python -m pipeline.stages.show_sources $(CONFIG)

test: .venv/.development
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# SLURM from Debian's packages, as root: without it the tests leave out those that need a cluster.
slurm:
	tests/cluster/slurm.sh install

lint: .venv/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(SNAKEMAKE) --lint
	$(SNAKEMAKE) --snakefile workflow/Snakefile --lint

# All benchmarks, or one: make bench NAME=bootstrap
bench: .venv/.development
	$(BIN)/python -m benchmarks $(NAME)

# Generated files that are kept in the repository: the schema, and pictures of the DAG (needs graphviz) and of augmentation.
docs: setup
	$(BIN)/python -m pipeline.settings.schema workflow/schemas/config.schema.yaml
	$(SNAKEMAKE) --rulegraph dot results/report/index.html results/report/leaderboard.csv > docs/rulegraph.dot
	dot -Tsvg docs/rulegraph.dot > docs/rulegraph.svg
	$(BIN)/python docs/draw_augmentation.py

clean:
	rm -rf results .snakemake .pytest_cache .mypy_cache .ruff_cache
