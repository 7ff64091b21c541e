# Everything a developer or CI runs. `make help` lists it.
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.bench-installed
STORY := deploy/examples/taskforce

.DEFAULT_GOAL := help
.PHONY: help setup up story check test e2e bench generate lock clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml requirements/dev.txt
	python3 -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(STAMP) ## Make the virtual environment from the pinned, hashed requirements

up: setup ## Run the example on this machine: store, reconcile, workers, producer, backend, dashboard (Ctrl-C drains)
	$(VENV)/bin/headgate up $(STORY)/policies --app $(STORY) --before 10 --run "python -m taskforce.producer" \
		--run "python -m uvicorn --factory taskforce.backend:create_app --log-level warning --no-access-log" --run "python -m taskforce.traffic"

story: setup ## The same evening before and after, nine stock RQ workers and the nine policies, side by side
	$(PY) -m tests.story.before_and_after

check: setup ## Lint, types, import contracts, generated files, unit tests (under 2 minutes)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/mypy
	$(PY) -m headgate.model.schema --check deploy/crds
	$(PY) -m headgate.model.schema --check charts/headgate/files/crds
	$(PY) docs/generate.py --check
	$(PY) -m pytest -q -n 2 --ignore=tests/e2e -m "not store and not cluster and not slow"

test: setup ## Every test but e2e, on real stores and a real control plane (builds it the first time)
	$(PY) -m pytest -q -n 3 --dist loadfile --ignore=tests/e2e

e2e: setup ## The image and the chart on a real node: kubelet, containerd, pods (needs root; builds all of it the first time)
	$(PY) -m pytest -q tests/e2e -o timeout=900 --durations=15

$(BENCH_STAMP): $(STAMP) requirements/bench.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

bench: $(BENCH_STAMP) ## Figures beside RQ, Huey, taskiq and BullMQ, with validity checks, losses included (half an hour)
	$(PY) -m bench.throughput
	$(PY) -m bench.rates
	$(PY) -m bench.latency
	$(PY) -m bench.memory
	$(PY) -m bench.keyed
	$(PY) -m bench.http_memory
	$(PY) -m bench.operator
	$(PY) -m bench.http

generate: setup ## Write what is generated: CRDs, reference, runbook
	$(PY) -m headgate.model.schema deploy/crds
	$(PY) -m headgate.model.schema charts/headgate/files/crds
	$(PY) docs/generate.py

lock: setup ## Pin the dependencies again, with hashes and without any download address
	cd requirements && ../$(VENV)/bin/pip-compile -q --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --strip-extras --allow-unsafe --all-extras ../pyproject.toml dev.in -o dev.txt
	cd requirements && ../$(VENV)/bin/pip-compile -q --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --strip-extras --allow-unsafe bench.in -o bench.txt
	cd requirements && ../$(VENV)/bin/pip-compile -q --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --strip-extras --allow-unsafe --extra operator --extra worker --extra api --extra cli ../pyproject.toml image.in -o image.txt

clean: ## Remove what make made here (caches outside the tree stay)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build
