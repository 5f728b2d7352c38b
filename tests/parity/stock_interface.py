"""Plug and unplug ports with the stock agent's own interface driver for Open vSwitch.

Runs under the interpreter of the stock environment (neutron 29.0.0), as root of a host of a test's own; reads one JSON
request a line on stdin (do, use_veth, network_id, port_id, device, mac_address, namespace, mtu), and answers each with
a line: what was raised, or null.  Nothing of the driver is replaced; privsep is told to do its work in this process.
"""
# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

import json
import sys
from typing import Any

from neutron.agent.linux import interface
from neutron.conf.agent import common
from neutron.conf.agent import ovs_conf as agent_ovs_conf
from neutron.conf.plugins.ml2.drivers import ovs_conf
from neutron.privileged import default, link_cmd, namespace_cmd, ovs_vsctl_cmd
from oslo_config import cfg

CONF = cfg.CONF


def main() -> None:
    for context in (default, link_cmd, namespace_cmd, ovs_vsctl_cmd):
        context.set_client_mode(False)
    common.register_interface_opts(CONF)
    common.register_interface_driver_opts_helper(CONF)
    ovs_conf.register_ovs_agent_opts(CONF)
    agent_ovs_conf.register_ovs_agent_opts(CONF)
    CONF([], project="neutron", default_config_files=[], default_config_dirs=[])
    CONF.set_override("ovsdb_connection", "unix:/run/openvswitch/db.sock", "OVS")
    for line in sys.stdin:
        request = json.loads(line)
        try:
            carry_out(request)
            answer = None
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        print(json.dumps(answer), flush=True)


def carry_out(request: dict[str, Any]) -> None:
    CONF.set_override("ovs_use_veth", request["use_veth"])
    driver = interface.OVSInterfaceDriver(CONF)
    device, namespace = request["device"], request["namespace"]
    if request["do"] == "plug":
        driver.plug(
            request["network_id"],
            request["port_id"],
            device,
            request["mac_address"],
            namespace=namespace,
            mtu=request["mtu"],
        )
    else:
        driver.unplug(device, namespace=namespace)


if __name__ == "__main__":
    main()
