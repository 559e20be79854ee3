# Everything here needs only Python 3.11+ (with venv and pip), make and git; the rest goes into .venv, from requirements.lock.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ok
MLFLOW := .venv-mlflow/.ok
TORCH := .venv-torch/.ok
DOCS := .venv-docs/.ok
PEERS := mlflow trackio wandb tensorboard

# Where it is set, each of the many processes that tests start compiles anew all that it imports: 9 s for Prefect's instead of 4.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo dashboard test test-all test-torch check format soak bench docs lock clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(READY) ## train a few models under Prefect, tracked, and compare them
	@$(BIN)/prefect-ledger demo

dashboard: $(READY) ## train the demo's models, then open the dashboard on them
	@$(BIN)/prefect-ledger demo
	@$(BIN)/prefect-ledger dashboard

# One more at a time than there are cores: many tests wait for processes, servers and disks.
AT_ONCE = $$($(BIN)/python -c 'import os; print(min(4, 1 + len(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else 3)')

test: $(READY) $(MLFLOW) ## run the tests that take less than a few seconds each
	@$(BIN)/python -m pytest -n $(AT_ONCE) --dist=worksteal -m "not soak and not long"

test-all: $(READY) $(MLFLOW) ## run all tests but those of the soak, as CI does
	@$(BIN)/python -m pytest -n $(AT_ONCE) --dist=worksteal --durations=60 --durations-min=5

# PyTorch is in no lock (its builds differ by machine, and bring gigabytes of CUDA), so its tests and those of what stands on it are run by themselves.
test-torch: $(READY) $(MLFLOW) $(TORCH) ## run the tests of what stands on PyTorch
	@PYTHONPATH=$$(echo .venv-torch/lib/python*/site-packages) $(BIN)/python -m pytest -n 0 tests/models/test_pytorch.py tests/models/test_keras.py tests/models/test_transformers.py tests/autolog/test_torch.py

# lint-imports without its cache, which misses a module that comes or goes.
check: $(READY) ## formatting, lint, types, import contracts, the lock
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m tests.packaging.locks

format: $(READY) ## format the code and mend what lint can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

soak: $(READY) ## run the long kill and race tests
	@$(BIN)/python -m pytest -m soak
	@LEDGER_EXAMPLES=20 $(BIN)/python -m pytest tests/stores/test_queries_laws.py tests/registry/test_model.py

bench: $(READY) $(MLFLOW) $(PEERS:%=.venv-peers/%/.ok) ## measure, beside raw SQLite and other trackers in the same run; BENCH="--only peers" and the like
	@$(BIN)/python -m benchmarks $(BENCH)

docs: $(READY) $(DOCS) ## build the documentation into build/docs; a link that leads nowhere fails
	@$(BIN)/python docs/site/command_line.py build/command-line.md
	@.venv-docs/bin/properdocs build
	@echo "build/docs/index.html"

# MLflow's lock begins with ours, so that packages which are in both have one version wherever MLflow allows it.
lock: $(READY) ## resolve the dependencies anew into requirements.lock
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header --all-extras --group dev pyproject.toml -o requirements.lock
	cp requirements.lock requirements-mlflow.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --group mlflow -o requirements-mlflow.lock
	cp requirements.lock requirements-docs.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --group docs -o requirements-docs.lock
	for peer in $(PEERS); do $(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header --group peer-$$peer -o benchmarks/contenders/$$peer.lock || exit 1; done

clean: ## remove .venv, built packages and the tools' caches
	rm -rf .venv .venv-mlflow .venv-torch .venv-peers .venv-docs build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv installs the lock in seconds; where it cannot be had, pip does the same in a minute.
$(READY): pyproject.toml setup.py requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "prefect-ledger needs Python 3.11 or later: make PYTHON=/path/to/python3.11 ...")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || { echo "no venv: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }
	@echo "setting up .venv from requirements.lock"
	@$(BIN)/python -m pip install -q --disable-pip-version-check "uv>=0.9" || echo "no uv, going on with pip"
	@$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements.lock || $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# MLflow with the frameworks it opens models of, for the tests beside it; apart, since it and Prefect hold other packages back.
$(MLFLOW): requirements-mlflow.lock | $(READY)
	@echo "setting up .venv-mlflow from requirements-mlflow.lock"
	@$(BIN)/python -m venv --clear --without-pip .venv-mlflow
	@$(BIN)/uv pip install -q --python .venv-mlflow/bin/python --require-hashes -r requirements-mlflow.lock || $(BIN)/python -m pip --python .venv-mlflow/bin/python install -q --disable-pip-version-check --require-hashes -r requirements-mlflow.lock
	@touch $@

# A tracker that cannot be installed leaves the reason in its folder, and is named as absent by the benchmarks; the others are measured.
.venv-peers/%/.ok: benchmarks/contenders/%.lock | $(READY)
	@echo "setting up .venv-peers/$* from $<"
	@$(BIN)/python -m venv --clear --without-pip .venv-peers/$*
	@if $(BIN)/uv pip install -q --python .venv-peers/$*/bin/python --require-hashes -r $< 2>.venv-peers/$*/why \
	  || $(BIN)/python -m pip --python .venv-peers/$*/bin/python install -q --disable-pip-version-check --require-hashes -r $< 2>.venv-peers/$*/why; \
	then touch $@; else echo "without $*: $$(tail -n 1 .venv-peers/$*/why)"; fi

$(DOCS): requirements-docs.lock | $(READY)
	@echo "setting up .venv-docs from requirements-docs.lock"
	@$(BIN)/python -m venv --clear --without-pip .venv-docs
	@$(BIN)/uv pip install -q --python .venv-docs/bin/python --require-hashes -r requirements-docs.lock || $(BIN)/python -m pip --python .venv-docs/bin/python install -q --disable-pip-version-check --require-hashes -r requirements-docs.lock
	@touch $@

# By pip, whose settings say which build of PyTorch is for this machine.
$(TORCH): | $(READY)
	@echo "setting up .venv-torch"
	@$(BIN)/python -m venv --clear .venv-torch
	@.venv-torch/bin/python -m pip install -q --disable-pip-version-check torch==2.13.0 keras==3.15.1 lightning==2.6.6 transformers==5.24.0 accelerate==1.15.0
	@touch $@
