# All work is done in .venv/, which these targets make: a second run only does what is new.
#   make demo    equations of state of seven metals and their alloys: a table and a plot
#   make test    the tests          (ARGS="-k name" is handed to pytest; ARGS=--whole-table: all cases at all places)
#   make test-argo  all tests of Kubernetes and Argo, the whole table of cases and slow ones too: an hour or more (ARGS as above)
#   make services  installs Slurm, podman, S3 servers, ... that tests start, and tries each (root; without them tests skip);
#                  Kubernetes is built for 25 minutes: make services SERVICES="slurm podman s3" installs those alone
#   make check   types, style and layers alone
#   make bench   the benchmark table

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# With --no-compile the installation takes a third of the time: what is used is compiled when it is first imported,
# which must then be allowed to be kept.
export PYTHONDONTWRITEBYTECODE :=
PIP := .venv/bin/python -m pip --disable-pip-version-check install --quiet --no-compile
ARGS ?=
SERVICES ?=

.PHONY: demo test test-argo services check bench clean
.DELETE_ON_ERROR:

demo: .venv/.demo
	.venv/bin/python tutorials/eos_metals.py

test: .venv/.dev
	.venv/bin/python -m pytest -n 2 $(ARGS)

test-argo: .venv/.dev
	.venv/bin/python -m tests.services install kubernetes
	SCIFLOW_TEST_SLOW=1 SCIFLOW_TEST_SERVICES=kubernetes .venv/bin/python -m pytest -n 2 --whole-table -m kubernetes $(ARGS)

services: .venv/.dev
	.venv/bin/python -m tests.services install $(SERVICES)
	.venv/bin/python -m tests.services check $(SERVICES)

check: .venv/.dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache

bench: .venv/.dev
	.venv/bin/python -m benchmarks $(ARGS)

clean:
	rm -rf .venv

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer found; set PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; echo "make: $(PYTHON) has no venv module; on Debian and Ubuntu: apt install python3-venv"; exit 2; }

.venv/.demo: .venv/bin/python pyproject.toml
	$(PIP) --editable '.[ase,table,plot]'
	@touch $@

.venv/.dev: .venv/bin/python pyproject.toml
	$(PIP) --editable '.[dev]'
	@touch $@ .venv/.demo
