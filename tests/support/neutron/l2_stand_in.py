"""Stands in for the Open vSwitch agents of some hosts: reports that they live, and that their ports are plugged.

Run as a program, by the Python that has neutron: ``l2_stand_in.py <neutron.conf> <seconds between reports> <host>...``.
Prints ``ready`` when the server has answered a report of each host, and to a port that is none. Then each line of its
input, ``<port id> <host>``, is told to the server as an update_device_up, and answered with ``done``; it ends with its
input.

Without such agents Neutron 29's ML2 binds no port (``binding_failed``) and no port becomes ACTIVE.
"""
# mypy: disable-error-code="import-not-found, import-untyped, misc"

from __future__ import annotations

import datetime
import sys
import threading
import time
from typing import Any

import oslo_messaging
from oslo_config import cfg

CONTEXT = {"is_admin": True}
#: What no queue takes comes back at once, instead of being waited for.
RETURNED = oslo_messaging.TransportOptions(at_least_once=True)
FAILURES = (oslo_messaging.MessagingException, oslo_messaging.MessageUndeliverable)
#: A port that there is nowhere: the server looks for it, and leaves it at that.
NOBODYS = "00000000-0000-0000-0000-000000000000"
#: Both hosts' names of bridges say nothing here: nothing is plugged anywhere.
PHYSICAL_NETWORKS = {"physnet1": "br-one", "physnet2": "br-two"}


def state(host: str, number: int, physical: dict[str, str], *, is_first: bool) -> dict[str, Any]:
    """A report of a host's agent."""
    return {
        "binary": "neutron-openvswitch-agent",
        "host": host,
        "topic": "N/A",
        "agent_type": "Open vSwitch agent",
        "availability_zone": "nova",
        "start_flag": is_first,
        "configurations": {
            "bridge_mappings": physical,
            "tunnel_types": ["vxlan"],
            "tunneling_ip": f"192.0.2.{number}",
            "datapath_type": "system",
            "integration_bridge": "br-int",
            "ovs_hybrid_plug": False,
            "devices": 0,
        },
    }


def report(client: Any, hosts: dict[str, dict[str, str]], started: set[str]) -> None:
    """One report of each host; `started` has those that the server knows."""
    for number, (host, physical) in enumerate(hosts.items(), 1):
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None).isoformat()
        told = {"agent_state": state(host, number, physical, is_first=host not in started)}
        client.prepare(topic="q-reports-plugin", version="1.2", timeout=10, transport_options=RETURNED).call(
            CONTEXT, "report_state", agent_state=told, time=now
        )
        started.add(host)


def keep_reporting(client: Any, hosts: dict[str, dict[str, str]], started: set[str], every: float) -> None:
    while True:
        time.sleep(every)
        try:
            report(client, hosts, started)
        except Exception as error:
            print(f"not reported: {error!r}", file=sys.stderr, flush=True)


def up(client: Any, port: str, host: str) -> None:
    """Tell that a port is plugged, again and again until somebody has heard it."""
    for _ in range(100):
        try:
            client.prepare(topic="q-plugin", version="1.0", timeout=15, transport_options=RETURNED).call(
                CONTEXT, "update_device_up", agent_id=f"ovs-agent-{host}", device=port, host=host
            )
            return
        except FAILURES as error:
            print(f"{port} not told: {error!r}", file=sys.stderr, flush=True)
            time.sleep(0.2)
    raise SystemExit(f"{port} could not be told")


def main(configuration: str, every: str, *words: str) -> None:
    """A word is ``<host>``, or ``<host>=<physical network>`` for a host that is on that one only."""
    hosts = {}
    for word in words:
        host, _, only = word.partition("=")
        hosts[host] = {only: PHYSICAL_NETWORKS[only]} if only else PHYSICAL_NETWORKS
    oslo_messaging.set_transport_defaults("neutron")
    cfg.CONF([], default_config_files=[configuration])
    transport = oslo_messaging.get_rpc_transport(cfg.CONF)
    client = oslo_messaging.get_rpc_client(transport, oslo_messaging.Target())
    started: set[str] = set()
    while True:
        try:
            report(client, hosts, started)
            break
        except FAILURES as error:
            print(f"not yet: {error!r}", file=sys.stderr, flush=True)
            time.sleep(0.5)
    # Another process of the server's takes all but reports; whoever asks it too early waits for a minute.
    up(client, NOBODYS, next(iter(hosts)))
    print("ready", flush=True)
    threading.Thread(target=keep_reporting, args=[client, hosts, started, float(every)], daemon=True).start()
    for line in sys.stdin:
        port, host = line.split()
        up(client, port, host)
        print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
