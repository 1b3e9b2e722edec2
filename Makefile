# Everything a machine with make and Python >= 3.11 needs; each target sets up what it lacks.
# PYTHON=python3.12 chooses the Python of a new .venv. PORT, MEDLEY_DATA, POSTGRES_PORT and the other
# variables of docs/operations.md pass through.

PY = .venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PYTHON

# pip and browsers want a home; give them one where there is none.
ifeq ($(if $(HOME),$(wildcard $(HOME)/.)),)
export HOME := $(CURDIR)/.data/home
endif

.PHONY: help demo lists client test test-all bench bench-million services stop clean setup

help:
	@echo 'make demo          the whole site with demo data, in the foreground (PORT=8001 moves it)'
	@echo 'make demo CHECK=1  the same with 2,000 films: print one list, then end'
	@echo 'make lists         lists for files: TRAIN= VALID= ITEMS= OUT= [CANDIDATES=] [K=20] [DIVERSITY=0]'
	@echo 'make client        a typed Python client of the API, in build/medley_client'
	@echo 'make test          linters, contracts, deployment check and the quick tests'
	@echo 'make test-all      and the slow ones: faults, load, fuzzing, the demo'
	@echo 'make bench         the measured numbers of bench/README.md'
	@echo 'make bench-million the same requests at a million items: builds the catalogue once, and keeps it'
	@echo 'make services      start PostgreSQL and Valkey alone; make stop stops them'
	@echo 'make clean         list what set-up and running made; YES=1 removes it'

demo: setup
	@exec $(PY) -m recsite.local.demo $(if $(CHECK),--check)

# TRAIN and the others go by the environment: a path may hold any character.
lists: setup
	@exec $(PY) -m recsite.local.lists

client: setup
	@mkdir -p build
	@$(PY) manage.py spectacular --format openapi-json --file build/openapi.json
	@exec $(PY) -m openapi_python_client generate --path build/openapi.json \
		--output-path build/medley_client --overwrite --meta none \
		--config docs/examples/client.yaml

test: setup
	@exec $(PY) -m recsite.local.checks

test-all: setup
	@exec $(PY) -m recsite.local.checks --all

bench: setup
	@exec $(PY) -m bench $(ARGS)

bench-million: setup
	@exec $(PY) -m bench million $(ARGS)

services: setup
	@exec $(PY) -m recsite.local.services start

stop: setup
	@exec $(PY) -m recsite.local.services stop

setup:
	@sh recsite/local/setup.sh

# MEDLEY_DATA is left out on purpose: a folder that somebody chose is theirs to remove.
clean: export MEDLEY_DATA =
clean:
	@data=$$($(PY) -c 'from recsite.local import services; print(services.data_folder())' \
		2>/dev/null || echo .data); \
	set -- .venv "$$data" build .hypothesis .import_linter_cache .pytest_cache .ruff_cache staticfiles; \
	for path do if [ -e "$$path" ]; then du -sh "$$path"; fi; done; \
	if [ -z "$(YES)" ]; then echo 'nothing removed: make clean YES=1 does it'; exit 0; fi; \
	if [ -x $(PY) ]; then \
		$(PY) -m recsite.local.services stop && \
		MEDLEY_DATA="$$data/test" $(PY) -m recsite.local.services stop || exit 1; \
	fi; \
	rm -rf "$$@"; \
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
