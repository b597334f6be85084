# `make` sets up .venv from uv.lock and runs the pipeline; `make test` runs the tests in it.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/.venv
unexport PYTHONDONTWRITEBYTECODE
unexport VIRTUAL_ENV

.PHONY: all setup test lint format lock clean
all: setup
	dvc repro

setup: .venv/ready

.venv/ready: pyproject.toml uv.lock
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/uv.txt
	.venv/bin/uv sync --frozen --python .venv/bin/python
	touch $@

# One process per core; a file of tests stays together, and so do the worlds it builds.
test: setup
	pytest --numprocesses=logical --dist=loadfile

lint: setup
	uv sync --frozen --inexact --quiet --group lint
	ruff check
	ruff format --check
	codespell
	mypy
	nbstripout --verify notebooks/*.ipynb

format: setup
	uv sync --frozen --inexact --quiet --group lint
	ruff check --fix
	ruff format

lock:
	uv lock
	uv export --frozen --only-group bootstrap --no-emit-project --no-header --output-file .ci/uv.txt

clean:
	rm -rf .venv logs
