"""What the driver keeps to inside Neutron's agent; each check is one law. Run as a program: one line of JSON for each.

Those of `trouble` are run with them.

    python -m neutron_driver.checks FOLDER

Each runs in a process of its own, forked from one that has imported Neutron, and leaves nothing to the next: as process
1 of a host of its own this program ends all others in between.
"""
# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from neutron.agent.linux import dhcp

from dhcpcore import InstanceKey
from dhcpcore_adapters.neutron_driver import Dnsmasq
from dhcpcore_adapters.neutron_driver.hands import NeutronProcesses
from neutron_driver import trouble
from neutron_driver.stock_site import CONF, OURS, SEGMENT, STOCKS, Site, an_id, hosts_line, namespaces, until

SECONDS: Final = 120.0


def check_a_first_sync_serves_everything(site: Site) -> None:
    """Law: dnsmasq runs with the files of its network, in its namespace, and the ports are to be reported."""
    networks = [site.server.network(f"net {number}", ports=2) for number in range(3)]
    agent = site.start()
    for network in networks:
        assert site.runs(site.pid(network))
        assert f"--dhcp-hostsfile={site.directory(network)}/host" in site.argv(network)
        assert site.read(network, "host") == "".join(hosts_line(port) for port in network["ports"][:2])
        inside = os.stat(f"/proc/{site.pid(network)}/ns/net").st_ino
        assert inside == os.stat(f"/run/netns/qdhcp-{network['id']}").st_ino
        assert {port["id"] for port in network["ports"]} <= agent.dhcp_ready_ports
        assert not (site.directory(network) / ".dirty").exists()
    assert not agent.needs_resync_reasons


def check_a_restart_of_the_agent_touches_nothing(site: Site) -> None:
    """Law: where all is right, no file is written, no dnsmasq is signalled, no port claimed."""
    networks = [site.server.network(f"net {number}", ports=2) for number in range(3)]
    site.start()
    pids, files = [site.pid(network) for network in networks], site.written()
    site.server.calls.clear()
    site.start()
    assert [site.pid(network) for network in networks] == pids
    assert all(site.runs(pid) for pid in pids)
    assert site.written() == files
    assert "create_dhcp_port" not in site.server.calls


def check_neutrons_own_driver_is_followed_without_a_restart(site: Site) -> None:
    """Law: files, command line and device are Neutron's: what its driver has started runs on."""
    extra = [{"opt_name": "bootfile-name", "opt_value": "x", "ip_version": 4}]
    network = site.server.network("net", ports=3)
    site.server.port(network, extra_dhcp_opts=extra)
    site.start(STOCKS)
    pid, files = site.pid(network), site.written()
    site.start(OURS)
    assert site.pid(network) == pid
    assert site.written() == files
    # Neutron's own driver starts it anew: the check can tell.
    site.start(STOCKS)
    assert site.pid(network) != pid


def check_options_are_the_agents(site: Site) -> None:
    """Law: whatever the agent's options say, it comes to the same files and command line as with Neutron's driver."""
    for name, value in {
        "dhcp_lease_duration": 1200,
        "dnsmasq_dns_servers": ["10.0.0.53", "10.0.0.54"],
        "dns_domain": "example.org",
        "dhcp_broadcast_reply": True,
        "dnsmasq_lease_max": 100,
        "dhcp_renewal_time": 60,
        "dhcp_rebinding_time": 90,
        "dnsmasq_txt_record": "cloud,1",
        "dnsmasq_base_log_dir": str(site.folder / "log"),
        "force_metadata": True,
    }.items():
        CONF.set_override(name, value)
    six = {"cidr": "fd00::/64", "ip_version": 6, "ipv6_address_mode": "dhcpv6-stateful", "ipv6_ra_mode": None}
    network = site.server.network("net", ports=3)
    network["subnets"].append(network["subnets"][0] | six | {"id": an_id("six"), "gateway_ip": "fd00::1"})
    network["subnets"][0]["host_routes"] = [{"destination": "10.9.0.0/16", "nexthop": "10.1.0.9"}]
    site.start(STOCKS)
    pid, argv, files = site.pid(network), site.argv(network), site.written()
    assert "--log-dhcp" in argv
    assert "169.254.169.254/32,10.1.0.2" in site.read(network, "opts")
    site.start(OURS)
    assert (site.pid(network), site.argv(network)) == (pid, argv)
    assert site.written() == files


def check_a_port_is_a_reload(site: Site) -> None:
    """Law: a new port is in the files, dnsmasq is signalled, not started anew; what does not differ is not written."""
    network = site.server.network("net", ports=2)
    agent = site.start()
    pid, before = site.pid(network), site.written()
    port = site.server.port(network)
    agent.port_create_end(None, {"port": port})
    agent._process_resource_update()
    assert site.pid(network) == pid
    assert site.runs(pid)
    assert hosts_line(port) in site.read(network, "host")
    changed = {Path(path).name for path, stamp in site.written().items() if before.get(path) != stamp}
    assert changed == {"host", "addn_hosts"}
    before = site.written()
    agent.port_update_end(None, {"port": port})
    agent._process_resource_update()
    assert site.written() == before


def check_where_sighup_could_kill_it_is_started_anew_with_its_leases(site: Site) -> None:
    """Law: dnsmasq before 2.91 with a tag among its hosts is not sent SIGHUP, and keeps every live lease."""
    extra = [{"opt_name": "bootfile-name", "opt_value": "x", "ip_version": 4}]
    network = site.server.network("net", ports=1)
    tagged = site.server.port(network, extra_dhcp_opts=extra)
    agent = site.start()
    pid = site.pid(network)
    port = site.server.port(network)
    agent.port_create_end(None, {"port": port})
    agent._process_resource_update()
    version = tuple(int(part) for part in agent.dhcp_version.split("."))
    assert (site.pid(network) == pid) is (version >= (2, 91))
    assert site.runs(site.pid(network))
    assert hosts_line(port) in site.read(network, "host")
    assert f" {tagged['fixed_ips'][0]['ip_address']} " in site.read(network, "leases")


def check_a_deleted_ports_lease_is_released(site: Site) -> None:
    """Law: what to release is told from leases and ports; a live port's lease stays."""
    network = site.server.network("net", ports=2)
    agent = site.start()
    kept, gone = network["ports"][:2]
    assert f" {gone['fixed_ips'][0]['ip_address']} " in site.read(network, "leases")
    network["ports"].remove(gone)
    agent.port_delete_end(None, {"port_id": gone["id"], "network_id": network["id"], "fixed_ips": gone["fixed_ips"]})
    agent._process_resource_update()
    leases = site.read(network, "leases")
    assert f" {gone['fixed_ips'][0]['ip_address']} " not in leases
    assert f" {kept['fixed_ips'][0]['ip_address']} " in leases
    assert not agent.needs_resync_reasons


def check_another_mtu_is_a_restart(site: Site) -> None:
    """Law: where the command line differs dnsmasq is started anew, the old one has ended, and the port is kept."""
    network = site.server.network("net", ports=1)
    agent = site.start()
    pid = site.pid(network)
    network["mtu"] = 1400
    site.server.calls.clear()
    agent.network_update_end(None, {"network": {"id": network["id"], "admin_state_up": True}})
    agent._process_resource_update()
    assert site.pid(network) != pid
    assert not site.runs(pid)
    assert "--dhcp-option-force=option:mtu,1400" in site.argv(network)
    assert not {"create_dhcp_port", "release_dhcp_port"} & set(site.server.calls)


def check_a_subnet_more_and_one_less(site: Site) -> None:
    """Law: the port gets and gives up its address by Neutron's code, and dnsmasq is started anew with the ranges."""
    network = site.server.network("net", ports=1)
    agent = site.start()
    more = network["subnets"][0] | {"id": an_id("more"), "cidr": "10.9.0.0/24", "gateway_ip": "10.9.0.1"}
    network["subnets"].append(more)
    agent.subnet_create_end(None, {"subnet": more})
    agent._process_resource_update()
    ranges = [argument for argument in site.argv(network) if argument.startswith("--dhcp-range=")]
    assert [more["id"] in argument for argument in ranges] == [False, True]
    more["enable_dhcp"] = False
    agent.subnet_update_end(None, {"subnet": more})
    agent._process_resource_update()
    assert not any(more["id"] in argument for argument in site.argv(network))
    assert site.runs(site.pid(network))
    # Until the agent asks again the port may still have its address there.
    port = site.server.port(network)
    agent.port_create_end(None, {"port": port})
    agent._process_resource_update()
    assert hosts_line(port) in site.read(network, "host")
    assert not agent.needs_resync_reasons


def check_neutrons_monitor_takes_no_restart_for_a_death(site: Site) -> None:
    """Law: what is stopped to be started anew is not brought back by the monitor in between."""
    network = site.server.network("net", ports=1)
    agent = site.start()
    stop = NeutronProcesses.stop_dnsmasq

    def stop_and_look(self: NeutronProcesses, key: InstanceKey) -> None:
        stop(self, key)
        agent._process_monitor._check_child_processes()

    NeutronProcesses.stop_dnsmasq = stop_and_look  # type: ignore[method-assign]
    network["mtu"] = 1400
    agent.network_update_end(None, {"network": {"id": network["id"], "admin_state_up": True}})
    agent._process_resource_update()
    assert "--dhcp-option-force=option:mtu,1400" in site.argv(network)
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert len([line for line in lines if line.startswith(b"dnsmasq\0")]) == 1


def check_a_deleted_network_leaves_nothing(site: Site) -> None:
    """Law: process, device, port, files and namespace go, and nothing of another network."""
    gone, kept = site.server.network("gone"), site.server.network("kept")
    agent = site.start()
    pids = site.pid(gone), site.pid(kept)
    del site.server.networks[gone["id"]]
    agent.network_delete_end(None, {"network_id": gone["id"]})
    agent._process_resource_update()
    assert [site.runs(pid) for pid in pids] == [False, True]
    assert not site.directory(gone).exists()
    assert namespaces() == [f"qdhcp-{kept['id']}"]
    assert "release_dhcp_port" in site.server.calls


def check_no_subnet_left_to_serve_disables(site: Site) -> None:
    """Law: dnsmasq does not run for a network whose subnets have turned DHCP off."""
    network = site.server.network("net")
    agent = site.start()
    pid = site.pid(network)
    network["subnets"][0]["enable_dhcp"] = False
    agent.subnet_update_end(None, {"subnet": network["subnets"][0]})
    agent._process_resource_update()
    assert not site.runs(pid)
    assert not site.directory(network).exists()


def check_a_dead_dnsmasq_is_back(site: Site) -> None:
    """Law: Neutron's monitor starts it again, with the same command line, also after the agent was restarted."""
    network = site.server.network("net")
    site.start()
    site.start()
    pid, argv = site.pid(network), site.argv(network)
    os.kill(pid, signal.SIGKILL)
    until("another runs", lambda: (site.directory(network) / "pid").exists() and site.pid(network) != pid)
    until("it has started", lambda: site.argv(network) == argv)


def check_an_altered_file_is_put_right_at_the_next_start(site: Site) -> None:
    """Law: what lies on the disk is compared with what is wanted."""
    network = site.server.network("net")
    site.start()
    before, pid = site.read(network, "host"), site.pid(network)
    (site.directory(network) / "host").write_text(before + "fa:16:3e:99:99:99,somebody,10.1.0.99\n")
    site.start()
    assert site.read(network, "host") == before
    assert site.pid(network) == pid
    # Where no agent wrote what lies there nobody knows what dnsmasq has loaded, and whether it would survive a SIGHUP.
    (site.directory(network) / "host").write_text("garbage\n")
    site.start()
    assert site.read(network, "host") == before
    until("it serves", lambda: (site.directory(network) / "pid").exists() and site.argv(network))


def check_what_was_written_and_not_loaded_is_loaded(site: Site) -> None:
    """Law: a mark tells that an agent was killed between a file and the signal."""
    network = site.server.network("net")
    site.start()
    (site.directory(network) / ".dirty").touch()
    site.start()
    assert not (site.directory(network) / ".dirty").exists()
    assert site.runs(site.pid(network))


def check_a_network_that_cannot_be_read_takes_no_other_along(site: Site) -> None:
    """Law: it is told of with its place, asked for no more often, and all others are served."""
    bad, good = site.server.network("bad"), site.server.network("good")
    bad["ports"][0]["mac_address"] = "zz"
    agent = site.start()
    assert site.runs(site.pid(good))
    assert not (site.directory(bad) / "pid").exists()
    assert not agent.needs_resync_reasons


def check_a_start_that_fails_asks_for_that_network_again(site: Site) -> None:
    """Law: a failure is told to the agent with its reason, which resyncs that network."""
    network = site.server.network("net")
    (site.folder / "dnsmasq.conf").write_text("no-such-option\n")
    agent = site.start()
    (reason,) = agent.needs_resync_reasons[network["id"]]
    assert "no-such-option" in reason or "could not be started" in reason
    (site.folder / "dnsmasq.conf").write_text("user=root\ngroup=\n")
    agent.needs_resync_reasons.clear()
    agent.sync_state([network["id"]])
    assert site.runs(site.pid(network))


def check_segments_are_found_and_go(site: Site) -> None:
    """Law: a network that is served by a segment is known after a restart, and goes without a trace (museum L3)."""
    network = site.server.network("net", segments=[SEGMENT])
    network["subnets"][0]["segment_id"] = SEGMENT["id"]
    site.start()
    pid = int((site.directory(network, "7") / "pid").read_text())
    site.start()
    assert int((site.directory(network, "7") / "pid").read_text()) == pid
    del site.server.networks[network["id"]]
    site.start()
    assert not site.runs(pid)
    assert not site.directory(network, "7").exists()
    assert namespaces() == []


def check_metadata_is_for_isolated_networks(site: Site) -> None:
    """Law: whether a network has a proxy is the core's answer."""
    network = dhcp.NetModel(site.server.network("net"))
    assert Dnsmasq.should_enable_metadata(CONF, network) is False
    CONF.set_override("enable_isolated_metadata", True)
    assert Dnsmasq.should_enable_metadata(CONF, network) is True
    assert Dnsmasq.get_isolated_subnets(network)[network.subnets[0].id] is True
    router = {"device_owner": "network:router_interface", "device_id": "r", "extra_dhcp_opts": []}
    made = site.server.port(site.server.networks[network.id], **router)
    made["fixed_ips"][0]["ip_address"] = network.subnets[0].gateway_ip
    routed = dhcp.NetModel(site.server.networks[network.id])
    assert Dnsmasq.should_enable_metadata(CONF, routed) is False


ALL: Final[dict[str, Callable[[Site], None]]] = {
    name: check for name, check in [*globals().items(), *vars(trouble).items()] if name.startswith("check_")
}


def run_one(folder: Path, name: str) -> None:
    """In a process of its own; the line that tells of it is the last thing it does."""
    failure = None
    try:
        folder.mkdir()
        ALL[name](Site(folder))
    except BaseException:
        failure = traceback.format_exc()
    print(json.dumps({"check": name, "failure": failure}), flush=True)
    os._exit(0)


def clear() -> None:
    """End every process but this one, and remove every namespace's name."""
    if os.getpid() != 1:
        raise SystemExit("run it in a host of its own: it ends all other processes")
    with suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:
            os.wait()
    for name in namespaces():
        subprocess.run(["ip", "netns", "delete", name], check=True, timeout=20)


def main(folder: Path) -> int:
    for name in ALL:
        pid = os.fork()
        if not pid:
            run_one(folder / name, name)
        deadline = time.monotonic() + SECONDS
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                print(json.dumps({"check": name, "failure": f"no end after {SECONDS} s"}), flush=True)
                break
            time.sleep(0.01)
        clear()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
