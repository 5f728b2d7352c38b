"""What the driver keeps to when something fails, inside Neutron's agent; each check is one law (see `checks.py`)."""
# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

from neutron.agent.linux import ip_lib

from neutron_driver.stock_site import SEGMENT, Site, an_id, hosts_line, namespaces


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
