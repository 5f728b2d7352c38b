#!/usr/bin/env bash
# Make sure of an environment with the stock agent (neutron 29.0.0, pinned by .ci/stock.lock) and print its Python.
# $DHCPCORE_STOCK_PYTHON names one that is there already; else .venv-stock, made once, where nothing else uses it.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
"$root/.ci/stock" >&2
echo "${DHCPCORE_STOCK_PYTHON:-$root/.venv-stock/bin/python}"
