# Every target does its own set-up. `make` alone says what there is.
#
#   PYTHON=...    the Python (3.11 or later) to build the environment with; default: the newest supported on PATH
#   WORKERS=n     processes for the tests (4: on two processors, since tests with real daemons mostly wait), mutants and
#                 fuzz (2)
#   PROFILE=...   Hypothesis profile for `make test`: test (100 examples for each property), ci (1,000), default or fuzz
#   SECONDS=n     how long `make fuzz` runs (60)
#   MINUTES=n     how long `make chaos` damages things (5)
#   COUNT=n       requests that `make parity` compares (20,000)
#   NETWORKS=...  how many networks `make bench-neutron` has, with commas (50,200)
#   REPEATS=n     its turns, of which the medians are (3)
#   ARGS=...      further arguments for pytest (test, fuzz) or for the programs behind demo, parity and bench

SHELL := /bin/bash
.DEFAULT_GOAL := help

WORKERS ?=
PROFILE ?= test
COUNT ?= 20000
MINUTES ?= 5
NETWORKS ?= 50,200
REPEATS ?= 3
ARGS ?=
# bash has a variable of this name, so make would inherit nothing useful from the environment.
SECONDS := 60

PY := .venv/bin/python
export PYTHON
# The tests start some hundred Pythons. Where this is set, each of them compiles all that it imports.
PYTHONDONTWRITEBYTECODE :=
export PYTHONDONTWRITEBYTECODE
# The daemons live where an ordinary user's PATH does not look.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

.PHONY: help venv test lint demo mutants fuzz chaos crash-sweep hitless parity bench bench-site bench-thousand bench-memory bench-neutron test-neutron test-ovs wheel-test lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

venv: ## make .venv, or repair it
	@.ci/venv

test: venv ## set everything up and run the tests
	@.ci/system-tools
	DHCPCORE_HYPOTHESIS_PROFILE=$(PROFILE) $(PY) -m pytest -n $(or $(WORKERS),4) --dist worksteal $(ARGS)

lint: venv ## ruff, mypy --strict, import contracts, purity
	$(PY) -m ruff check .
	$(PY) -m mypy
	.venv/bin/lint-imports
	$(PY) -m pytest -q tests/unit/test_purity.py

demo: ## watch it work: server, agent, dnsmasq and DHCP clients in namespaces of their own (ARGS="--json", "--keep")
	@.ci/demo $(ARGS)

mutants: venv ## bring bugs of other agents back, one at a time: each must be found by its test
	PYTHONPATH=tests $(PY) -m mutants.run --workers $(or $(WORKERS),2) $(ARGS)

fuzz: venv ## run the property tests and simulated histories with fresh seeds for SECONDS
	$(PY) .ci/fuzz.py $(SECONDS) --workers $(or $(WORKERS),2) $(ARGS)

chaos: venv ## random changes while agent, server, dnsmasq, namespaces and files are killed or damaged, for MINUTES
	@.ci/system-tools
	CHAOS_MINUTES=$(MINUTES) $(PY) -m pytest -q -s tests/integration/test_chaos.py $(ARGS)

crash-sweep: venv ## kill the agent at every place between two adapter calls of each scenario (some eight minutes)
	@.ci/system-tools
	DHCPCORE_CRASH_SWEEP=all $(PY) -m pytest -q -s tests/integration/test_crash_sweep.py $(ARGS)

hitless: venv ## restart the agent of 200 networks, 10 times by SIGTERM and 10 by kill -9, with clients that ask
	@.ci/system-tools
	DHCPCORE_HITLESS_NETWORKS=200 DHCPCORE_HITLESS_RESTARTS=10 $(PY) -m pytest -q -s tests/integration/test_hitless.py $(ARGS)

parity: venv ## compare our output with the stock agent's, byte by byte (network, once)
	@.ci/stock
	$(PY) tests/parity/compare.py --count $(COUNT) $(ARGS)
	$(PY) tests/parity/compare.py --mode hostile --count $$(( $(COUNT) / 10 )) $(ARGS)

bench: venv ## measure ours against the stock agent in one run (network, once)
	@.ci/stock
	$(PY) bench/run.py $(ARGS)

bench-site: venv ## measure the agent on a site of its own: server, dnsmasq, clients, 200 networks
	@.ci/system-tools
	$(PY) bench/on_site.py $(ARGS)

test-ovs: venv ## the interface driver openvswitch, with an Open vSwitch of the tests' own (apt, once)
	@.ci/system-tools
	@.ci/openvswitch
	$(PY) -m pytest -q -n $(or $(WORKERS),2) --dist worksteal tests/unit/test_ovsdb.py tests/conformance/test_real_openvswitch.py tests/integration/test_openvswitch.py tests/integration/test_openvswitch_trouble.py tests/integration/test_openvswitch_stock.py tests/integration/test_agent_openvswitch.py $(ARGS)

bench-neutron: venv ## both agents on a real Neutron 29, in one run: NETWORKS=50,200 REPEATS=3 (80 minutes; network and apt, once)
	@.ci/system-tools
	@.ci/neutron
	$(PY) bench/neutron_run.py --networks $(NETWORKS) --repeats $(REPEATS) $(ARGS)

test-neutron: venv ## drive the agent with a whole Neutron 29: RabbitMQ, MariaDB, its server (network and apt, once)
	@.ci/system-tools
	@.ci/neutron
	DHCPCORE_NEUTRON=1 $(PY) -m pytest -v --durations=0 -n 2 --dist worksteal tests/neutron $(ARGS)

bench-thousand: venv ## the same agent with 1,000 networks: cold start, restarts, a port more on each
	@.ci/system-tools
	$(PY) bench/on_site.py --only fleet --networks 1000 --ports 5 $(ARGS)

bench-memory: venv ## what the agent keeps after 100,000 creates and deletes (some four minutes)
	$(PY) bench/memory.py --check $(ARGS)

wheel-test: venv ## build the wheel and use it outside the checkout
	@.ci/wheel-test

lock: ## write .ci/*.lock anew from pyproject.toml (network)
	@.ci/lock

clean: ## remove what the other targets made
	rm -rf .venv .venv-lock .venv-stock .venv-neutron .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
