# make demo    search the default example, from nothing
# make tiny    a smoke test of every layer, in half a minute
# make test    the default tests
# make check   lint, types, import contracts
# make mutants NAME=core    how many changes of a part's code its tests notice (tests/mutants.py has the parts)
# make bench NAME=calibration    one benchmark beside its peer (QUICK=1: a smoke test of itself)
.PHONY: demo tiny test test-all check mutants bench clean
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.autoq
NAME ?= candidate_cost
# Each process keeps to a core of its own, and those that are done take tests from the others.
TOGETHER := -n logical --maxprocesses 4 --dist worksteal

# Each stamp is one set of extras in the same environment; nothing is installed outside it.
$(STAMP)-base: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable .
	@touch $@

$(STAMP)-dev: $(STAMP)-base
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(STAMP)-peers: $(STAMP)-dev
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[peers,postgres]' 'torch==2.13.0'
	@touch $@

$(STAMP)-pictures: $(STAMP)-base
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[pictures]'
	@touch $@

demo: $(STAMP)-base
	@$(BIN)/python experiments/launch.py experiments/cifar10_repvgg.yaml $(if $(QUICK),--quick)

tiny: $(STAMP)-dev
	$(BIN)/python -m pytest -q tests/test_tiny.py

test: $(STAMP)-dev
	$(BIN)/python -m pytest $(TOGETHER) -m 'not peers and not slow and not torch and not cores'
	$(BIN)/python -m pytest -m 'cores and not peers and not slow and not torch'

test-all: $(STAMP)-peers
	$(BIN)/python -m pytest $(TOGETHER) -m 'peers or slow or torch'

check: $(STAMP)-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

mutants: $(STAMP)-dev
	@$(BIN)/python tests/mutants.py $(NAME)

bench: $(STAMP)-peers
	@$(BIN)/python experiments/benchmarks/$(NAME).py $(if $(QUICK),--quick)

clean:
	rm -rf $(VENV) build dist runs
