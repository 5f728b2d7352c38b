"""What the driver keeps to when something fails, inside Neutron's agent; each check is one law (see `checks.py`)."""
# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

import os
import signal
from typing import Any

from neutron.agent.linux import external_process, ip_lib

from dhcpcore import AdapterError
from dhcpcore_adapters.neutron_driver import Dnsmasq
from dhcpcore_adapters.neutron_driver.hands import NeutronProcesses
from neutron_driver.stock_site import CONF, SEGMENT, STOCKS, Site, VethDriver, an_id, hosts_line, namespaces, until


def check_a_network_not_known_yet_is_left_alone(site: Site) -> None:
    """Law: until the agent has a network from the server, nothing of it goes on account of a port; then it is served.

    At its start the agent knows ids only, and holds an empty network for each of them.
    """
    plain, routed = site.server.network("plain", ports=2), site.server.network("routed", segments=[SEGMENT])
    routed["subnets"][0]["segment_id"] = SEGMENT["id"]
    site.start()
    pids = site.pid(plain), int((site.directory(routed, "7") / "pid").read_text())
    files = site.written()
    site.server.calls.clear()
    site.server.fails = True
    agent = site.start()
    for network in plain, routed:
        agent.port_create_end(None, {"port": site.server.port(network)})
        agent._process_resource_update()
        agent.port_delete_end(None, {"port_id": an_id("other"), "network_id": network["id"], "fixed_ips": []})
        agent._process_resource_update()
    assert all(site.runs(pid) for pid in pids)
    assert {plain["id"], routed["id"]} <= set(agent.needs_resync_reasons)
    site.server.fails = False
    agent.needs_resync_reasons.clear()
    for network in plain, routed:
        agent.port_create_end(None, {"port": site.server.port(network)})
        agent._process_resource_update()
    assert all(site.runs(pid) for pid in pids)
    assert site.written() == files
    assert "release_dhcp_port" not in site.server.calls
    for network, segment in (plain, ""), (routed, "7"):
        name = (site.directory(network, segment) / "interface").read_text()
        assert ip_lib.device_exists(name, namespace=f"qdhcp-{network['id']}")
    agent.sync_state(list(agent.needs_resync_reasons))
    for network, segment in (plain, ""), (routed, "7"):
        assert hosts_line(network["ports"][-1]) in (site.directory(network, segment) / "host").read_text()


def check_a_network_not_known_yet_keeps_its_metadata_proxy(site: Site) -> None:
    """Law: where one runs it is wanted until the server has told of the network; it ends with the network."""
    CONF.set_override("force_metadata", True)
    network = site.server.network("net")
    site.start()
    proxy = external_process.ProcessManager(CONF, network["id"], service="haproxy")
    assert proxy.active
    site.server.fails = True
    agent = site.start()
    agent.port_create_end(None, {"port": site.server.port(network)})
    agent._process_resource_update()
    assert proxy.active
    site.server.fails = False
    network["subnets"][0]["enable_dhcp"] = False
    agent.port_create_end(None, {"port": site.server.port(network)})
    agent._process_resource_update()
    assert not proxy.active
    assert namespaces() == []
    # Where none runs none is started.
    network["subnets"][0]["enable_dhcp"] = True
    CONF.set_override("force_metadata", False)
    site.start()
    site.server.fails = True
    agent = site.start()
    agent.port_create_end(None, {"port": site.server.port(network)})
    agent._process_resource_update()
    assert not proxy.active


def check_a_start_that_fails_keeps_what_is_there(site: Site) -> None:
    """Law: a port's coming after an `enable` that failed takes neither the DHCP port nor the leases away."""
    network = site.server.network("net", ports=1)
    site.start()
    interface = site.read(network, "interface")
    network["mtu"] = 1400
    (site.folder / "dnsmasq.conf").write_text("no-such-option\n")
    site.server.calls.clear()
    agent = site.start()
    agent.port_create_end(None, {"port": site.server.port(network)})
    agent._process_resource_update()
    assert "release_dhcp_port" not in site.server.calls
    assert f" {network['ports'][0]['fixed_ips'][0]['ip_address']} " in site.read(network, "leases")
    assert ip_lib.device_exists(interface, namespace=f"qdhcp-{network['id']}")
    (site.folder / "dnsmasq.conf").write_text("user=root\ngroup=\n")
    agent.sync_state([network["id"]])
    assert site.runs(site.pid(network))
    assert hosts_line(network["ports"][-1]) in site.read(network, "host")


def check_dhcp_turned_off_while_the_agent_was_away(site: Site) -> None:
    """Law: the agent does not ask to enable such a network; it goes as soon as it hears of one of its ports."""
    network = site.server.network("net")
    site.start()
    pid = site.pid(network)
    network["subnets"][0]["enable_dhcp"] = False
    agent = site.start()
    agent.port_create_end(None, {"port": site.server.port(network)})
    agent._process_resource_update()
    assert not site.runs(pid)
    assert not site.directory(network).exists()
    assert namespaces() == []


def check_a_lease_that_cannot_be_released_holds_nothing_up(site: Site) -> None:
    """Law: Neutron's code warns of a release that fails; what is new is served, dnsmasq watched, no resync asked."""
    network = site.server.network("net", ports=2)
    agent = site.start()
    pid, gone = site.pid(network), network["ports"].pop(1)
    address = gone["fixed_ips"][0]["ip_address"]
    Dnsmasq._release_lease = lambda *_, **__: None  # as it ends where dhcp_release fails
    agent.port_delete_end(None, {"port_id": gone["id"], "network_id": network["id"], "fixed_ips": gone["fixed_ips"]})
    agent._process_resource_update()
    assert hosts_line(gone) not in site.read(network, "host")
    for _ in range(2):
        assert f" {address} " in site.read(network, "leases")
        assert not agent.needs_resync_reasons
        assert site.is_watched(network)
        assert site.pid(network) == pid
        agent = site.start()
    del Dnsmasq._release_lease  # Neutron's is back
    agent.sync_state([network["id"]])
    assert f" {address} " not in site.read(network, "leases")


def check_what_runs_is_watched_whatever_failed(site: Site) -> None:
    """Law: where dnsmasq runs after a failure it is brought back when it dies; where none runs, none is started."""
    network = site.server.network("net")
    site.start()
    pid, argv = site.pid(network), site.argv(network)
    # No signal: a new port's reload.
    reload_dnsmasq = NeutronProcesses.reload_dnsmasq

    def fail(*_: Any, **__: Any) -> None:
        raise AdapterError("it fails")

    NeutronProcesses.reload_dnsmasq = fail  # type: ignore[method-assign]
    site.server.port(network)
    agent = site.start()
    assert agent.needs_resync_reasons[network["id"]] == ["it fails"]
    assert site.is_watched(network)
    NeutronProcesses.reload_dnsmasq = reload_dnsmasq  # type: ignore[method-assign]
    # No device: before the core is asked anything.
    VethDriver.init_l3 = fail
    agent = site.start()
    assert agent.needs_resync_reasons[network["id"]] == ["it fails"]
    assert site.is_watched(network)
    del VethDriver.init_l3
    # Nothing that can be read: that is no failure for the agent.
    network["ports"][0]["mac_address"] = "zz"
    agent = site.start()
    assert not agent.needs_resync_reasons
    assert site.pid(network) == pid
    os.kill(pid, signal.SIGKILL)
    until("another runs", lambda: (site.directory(network) / "pid").exists() and site.pid(network) != pid)
    until("it has started", lambda: site.argv(network) == argv)
    # A start that fails.
    network["ports"][0]["mac_address"] = "fa:16:3e:00:00:0a"
    network["mtu"] = 1400
    (site.folder / "dnsmasq.conf").write_text("no-such-option\n")
    site.start()
    assert not site.is_watched(network)


def check_a_log_directory_that_cannot_be_made_stops_nobody(site: Site) -> None:
    """Law: dnsmasq serves without its log, as with Neutron's driver; with it as soon as the directory can be made."""
    network, place = site.server.network("net"), site.folder / "log"
    place.touch()  # nothing can be made below a file
    CONF.set_override("dnsmasq_base_log_dir", str(place))
    site.start(STOCKS)
    pid = site.pid(network)
    assert "--log-dhcp" not in site.argv(network)
    for _ in range(2):
        agent = site.start()
        assert not agent.needs_resync_reasons
        assert site.pid(network) == pid
    place.unlink()
    agent = site.start()
    assert "--log-dhcp" in site.argv(network)
    assert (place / network["id"] / "dhcp_dns_log").exists()
    pid = site.pid(network)
    # It is lost while dnsmasq runs, which is told to start anew.
    (place / network["id"] / "dhcp_dns_log").unlink()
    (place / network["id"]).rmdir()
    (place / network["id"]).touch()
    network["mtu"] = 1400
    agent.network_update_end(None, {"network": {"id": network["id"], "admin_state_up": True}})
    agent._process_resource_update()
    assert not agent.needs_resync_reasons
    assert site.pid(network) != pid
    assert "--dhcp-option-force=option:mtu,1400" in site.argv(network)
    assert "--log-dhcp" not in site.argv(network)
    pid, before = site.pid(network), site.written()
    site.start()
    assert (site.pid(network), site.written()) == (pid, before)
