"""The stock agent's figures: neutron 29.0.0's own code, with only its I/O put out of the way.

Runs under the stock environment's Python.  Prints one JSON object: name of the figure to a list of seconds.
"""
# mypy: disable-error-code="import-not-found, import-untyped, misc, no-any-return"

from __future__ import annotations

import gc
import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from neutron.agent.dhcp.agent import NetworkCache
from neutron.agent.dhcp_agent import register_options
from neutron.agent.linux import dhcp

import stock_driver
import workload


def timed(repeat: int, prepare: Callable[[], Any], run: Callable[[Any], Any]) -> list[float]:
    """Times of `repeat` runs, after one that is not counted (templates, caches, imports)."""
    times = []
    for _ in range(repeat + 1):
        prepared = prepare()
        gc.collect()
        began = time.perf_counter()
        run(prepared)
        times.append(time.perf_counter() - began)
    return times[1:]


def driver_for(network: Any) -> Any:
    stock_driver.SERVER.ports = network.ports
    driver = dhcp.Dnsmasq(stock_driver.CONF, network, None, plugin=stock_driver.SERVER)
    stock_driver.MACHINE.begin({"interface_addresses": ["10.0.0.2/8"]})
    driver.interface_name = "tapd75ea2b3-11"
    return driver


def write_all(driver: Any) -> None:
    driver._output_init_lease_file()
    driver._output_config_files()


def reload_for_one_port(prepared: Any) -> None:
    """What a port_update costs: the cache, stale leases, all files; not the signal, not the route commands."""
    driver, cache, port = prepared
    cache.put_port(port)
    driver._release_unused_leases()
    driver._output_config_files()


def prepare_reload(wire: dict[str, Any]) -> Any:
    network = dhcp.NetModel(wire)
    driver = driver_for(network)
    write_all(driver)
    leases = "".join(f"1795429324 {p['mac_address']} {p['fixed_ips'][0]['ip_address']} * *\n" for p in wire["ports"])
    stock_driver.MACHINE.replace_file(driver.get_conf_file_name("leases"), leases)
    driver._release_lease = lambda *_, **__: None
    cache = NetworkCache.__new__(NetworkCache)
    cache.cache, cache.subnet_lookup, cache.port_lookup = {}, {}, {}
    cache.put(network)
    changed = json.loads(json.dumps(wire["ports"][len(wire["ports"]) // 2]))
    changed["fixed_ips"][0]["ip_address"] = "10.200.0.7"
    return driver, cache, dhcp.DictModel(changed)


def main() -> int:
    task = json.load(sys.stdin)
    logging.disable(logging.CRITICAL)
    register_options(stock_driver.CONF)
    stock_driver.CONF([], project="neutron", default_config_files=[], default_config_dirs=[])
    stock_driver.install_edges()
    # What a real run does between the tries of a release; the stock agent sleeps 0.3 s, three times.
    dhcp.time = type("NoSleep", (), {"sleep": staticmethod(lambda _: None)})
    repeat = task["repeat"]
    figures: dict[str, list[float]] = {}
    for ports in task["sizes"]:
        wire = workload.network(ports)
        text = json.dumps(wire)
        figures[f"model/{ports}"] = timed(repeat, lambda text=text: json.loads(text), dhcp.NetModel)
        model = dhcp.NetModel(wire)
        figures[f"render/{ports}"] = timed(repeat, lambda model=model: driver_for(model), write_all)
    wire = workload.network(task["update_size"])
    figures["update"] = timed(max(2, repeat // 2), lambda: prepare_reload(wire), reload_for_one_port)
    json.dump(figures, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
