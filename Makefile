# A fresh machine needs Python >= 3.11, make and git; everything else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake --profile profiles/local

.PHONY: setup demo test lint bench docs clean

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .[test,bench]
	touch $@

# The whole workflow on the phantom cohort.
demo: setup
	$(SNAKEMAKE) all
	$(BIN)/python -m pipeline.stages.show_leaderboard results/report

test: setup
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(SNAKEMAKE) --lint
	$(SNAKEMAKE) --snakefile workflow/Snakefile --lint

# All benchmarks, or one: make bench NAME=bootstrap
bench: setup
	$(BIN)/python -m benchmarks $(NAME)

# Generated files that are kept in the repository: schema and pictures. Needs graphviz's `dot`.
docs: setup
	$(BIN)/python -m pipeline.settings.schema workflow/schemas/config.schema.yaml
	$(SNAKEMAKE) --rulegraph dot all | sed -n '/^digraph/,$$p' > docs/rulegraph.dot
	dot -Tsvg docs/rulegraph.dot > docs/rulegraph.svg

clean:
	rm -rf results .snakemake .pytest_cache .mypy_cache .ruff_cache
