"""Random ports as Neutron's server sends them: instances, DHCP ports, router ports, metadata ports and the rest."""

from __future__ import annotations

import ipaddress
import uuid
from typing import Any

from draw import Draw
from subnets import Addresses, Subnet

Port = dict[str, Any]

ROUTER_INTERFACES = (
    "network:router_interface",
    "network:ha_router_replicated_interface",
    "network:router_interface_distributed",
)
OTHER_OWNERS = (
    "network:router_gateway", "network:router_centralized_snat", "network:floatingip_agent_gateway",
    "network:router_ha_interface", "network:floatingip", "network:local_ip", "network:routed",
    "network:vpn_router_gateway", "network:vpn_namespace", "network:distributed", "baremetal:none", "manila:share",
    "neutron:LOADBALANCERV2", "Octavia", "trunk:subport", "compute:kuryr",
)  # fmt: skip
V4_OPTIONS = (
    ("bootfile-name", "pxelinux.0"), ("tftp-server", "10.0.0.9"), ("server-ip-address", "10.0.0.9"),
    ("66", "tftp.example.org"), ("67", "undionly.kpxe"), ("150", "10.0.0.9"), ("210", "/tftpboot/"),
    ("tag:ipxe,67", "http://10.0.0.9:8080/boot.ipxe"), ("tag:!ipxe,67", "snponly.efi"),
    ("tag:ipxe,bootfile-name", "http://10.0.0.9/a.ipxe#top"), ("tag:!ipxe,tag:efi,67", "grub.efi"),
    ("ntp-server", "10.0.0.7,10.0.0.8"), ("domain-search", "a.example,b.example"), ("mtu", "1400"), ("26", "1350"),
    ("classless-static-route", "10.1.0.0/16,10.0.0.1"), ("router", "10.0.0.254"), ("dns-server", "10.0.0.53"),
    ("root-path", "iscsi:10.0.0.9::::iqn.2010-04.org.example:disk"), ("T1", "600"),
    ("vendor-class", "PXEClient"), ("43", "01:04:00:00:00:00"),
)  # fmt: skip
V6_OPTIONS = (
    ("59", "tftp://[2001:db8::9]/boot"), ("tag:ipxe6,59", "http://[2001:db8::9]/boot.ipxe"), ("60", "a,b"),
    ("ntp-server", "[2001:db8::7]"), ("dns-server", "[2001:db8::53],[2001:db8::54]"), ("domain-search", "v6.example"),
    ("sntp-server", "2001:db8::7"), ("information-refresh-time", "6h"), ("bootfile-url", "http://[2001:db8::9]/b"),
)  # fmt: skip
CLIENT_IDS = ("01:fa:16:3e:00:11:22", "ff:00:11:22:33:00:03:00:01", "client-1", "*", "test5")
NAMES = ("web-1", "db", "Mail-01", "7zip", "a-very-long-but-still-legal-name-of-an-instance-on-this-network", "vm.sub")


class Ports:
    """Draws the ports of one network. `local` are the subnets this host serves, `known` those plus non-local ones."""

    def __init__(
        self,
        draw: Draw,
        network_id: str,
        local: list[Subnet],
        known: list[Subnet],
        addresses: Addresses,
        dns_domain: str,
        host: str,
    ) -> None:
        self.draw, self.network_id, self.local, self.known = draw, network_id, local, known
        self.addresses, self.dns_domain, self.host = addresses, dns_domain, host
        self.dns_integration = draw.weighted(
            ((52, "absent"), (38, "given"), (4, "given-in-part"), (3, "null"), (3, "empty"))
        )
        draw.note(f"dns-assignment/{self.dns_integration}")
        self.macs: set[str] = set()

    def all(self, segmentation_id: object | None) -> list[Port]:
        """Every port of the network, in the random order in which a database may return them."""
        draw = self.draw
        ports = [*self._dhcp_ports(segmentation_id), *self._router_ports()]
        if draw.chance(0.06, "ovn-metadata-port"):
            fixed = self._one_each(draw.some(self.known, 0, len(self.known)))
            ports.append(self._port("network:distributed", f"ovnmeta-{self.network_id}", fixed))
        count = draw.weighted(
            ((6, 0), (44, draw.number(1, 3)), (34, draw.number(4, 8)), (14, draw.number(9, 25)), (2, 60))
        )
        ports.extend(self._instance() for _ in range(count))
        draw.note("ports/none" if not ports else "ports/some" if len(ports) < 30 else "ports/many")
        draw.rng.shuffle(ports)
        return ports

    def _dhcp_ports(self, segmentation_id: object | None) -> list[Port]:
        draw = self.draw
        found: list[Port] = []
        served = [subnet for subnet in self.local if subnet["enable_dhcp"]]
        if draw.chance(0.9, "dhcp-port/own"):
            suffix = f"-{segmentation_id}" if segmentation_id else ""
            found.append(self._dhcp_port(device_id(self.host, self.network_id) + suffix, served))
        for _ in range(draw.weighted(((70, 0), (24, 1), (6, 2)))):
            draw.note("dhcp-port/several")
            other = device_id(f"host-{draw.hex(4)}", self.network_id)
            found.append(self._dhcp_port(other, draw.some(served, 0, len(served)) if draw.chance(0.2) else served))
        if draw.chance(0.04, "dhcp-port/reserved"):
            found.append(self._dhcp_port("reserved_dhcp_port", served))
        return found

    def _dhcp_port(self, owner_id: str, served: list[Subnet]) -> Port:
        port = self._port("network:dhcp", owner_id, [])
        port["fixed_ips"] = self._one_each(served, port["mac_address"])
        if self.draw.chance(0.03, "port/admin-down"):
            port["admin_state_up"] = False
        return port

    def _router_ports(self) -> list[Port]:
        draw = self.draw
        found: list[Port] = []
        if not self.known or not draw.chance(0.5):
            return found
        gateways: set[str | None] = set()
        for subnet in draw.some(self.known, 1, len(self.known)):
            owner = draw.one(ROUTER_INTERFACES)
            if _gateway_inside(subnet) and subnet["gateway_ip"] not in gateways and draw.chance(0.85):
                draw.note(f"router-port/{owner[8:]}/on-gateway")
                address: str | None = subnet["gateway_ip"]
                gateways.add(address)
            else:
                draw.note("router-port/not-on-gateway")
                address = self.addresses.take(subnet)
            fixed = [{"subnet_id": subnet["id"], "ip_address": address}] if address else []
            found.append(self._port(owner, draw.uuid(), fixed))
        return found

    def _instance(self) -> Port:
        draw = self.draw
        owner: str | None = draw.weighted(((70, "compute:nova"), (8, ""), (22, draw.one(OTHER_OWNERS))))
        draw.note(f"device-owner/{owner or 'empty'}")
        if draw.chance(0.01, "device-owner/null"):
            owner = None
        port = self._port(owner, draw.uuid() if owner else "", [])
        wanted = draw.some(self.known, 1, len(self.known)) if draw.chance(0.7) else draw.some(self.known, 0, 1)
        port["fixed_ips"] = self._fixed_ips(wanted, port["mac_address"])
        if not port["fixed_ips"]:
            draw.note("port/without-fixed-ips")
        if draw.chance(0.25):
            port["extra_dhcp_opts"] = self._options()
        self._name(port)
        return port

    def _fixed_ips(self, wanted: list[Subnet], mac: str) -> list[dict[str, str]]:
        draw = self.draw
        fixed = self._one_each(wanted, mac)
        for subnet in wanted:
            stateful = subnet["ip_version"] == 6 and subnet.get("ipv6_address_mode") == "dhcpv6-stateful"
            if draw.chance(0.35 if stateful else 0.03):
                more = self._one_each([subnet] * draw.number(1, 3))
                draw.note(f"port/several-addresses-of-a-subnet/{'stateful' if stateful else 'other'}")
                fixed.extend(more)
        if draw.chance(0.03, "port/address-of-an-unlisted-subnet"):
            address = draw.one((f"10.77.0.{draw.number(2, 250)}", f"2001:db8:77::{draw.number(2, 9999):x}"))
            fixed.append({"subnet_id": draw.uuid(), "ip_address": address})
        if draw.chance(0.3):
            draw.rng.shuffle(fixed)
        return fixed

    def _one_each(self, wanted: list[Subnet], mac: str | None = None) -> list[dict[str, str]]:
        found = []
        for subnet in wanted:
            address = self.addresses.take(subnet, mac)
            if address:
                found.append({"subnet_id": subnet["id"], "ip_address": address})
        return found

    def _port(self, owner: str | None, owner_id: str, fixed_ips: list[dict[str, str]]) -> Port:
        draw = self.draw
        port: Port = {
            "id": draw.uuid(),
            "network_id": self.network_id,
            "mac_address": self._mac(),
            "device_owner": owner,
            "device_id": owner_id,
            "fixed_ips": fixed_ips,
            "admin_state_up": True,
        }
        if draw.chance(0.25, "wire/full-port"):
            port.update(
                name="", project_id="p", tenant_id="p", status="ACTIVE", standard_attr_id=draw.number(1, 9999),
                allowed_address_pairs=[], security_groups=[], description="", tags=[], revision_number=3,
                created_at="2025-03-01T10:21:49Z", updated_at="2025-03-01T10:21:49Z", extra_dhcp_opts=[],
                **{"binding:vnic_type": "normal", "binding:profile": {}, "binding:host_id": self.host,
                   "binding:vif_type": "ovs", "binding:vif_details": {"port_filter": True}},
            )  # fmt: skip
        elif draw.chance(0.05, "wire/null-optional-keys"):
            port.update(extra_dhcp_opts=None, dns_assignment=None)
        return port

    def _mac(self) -> str:
        while True:
            mac = f"{self.draw.one(('fa:16:3e', 'fa:16:3e', '52:54:00'))}:{self.draw.octets(3)}"
            if mac not in self.macs:
                self.macs.add(mac)
                return mac.upper() if self.draw.chance(0.008, "port/mac-in-upper-case") else mac

    def _options(self) -> list[dict[str, Any]]:
        draw = self.draw
        found: list[dict[str, Any]] = []
        for name, value in draw.some(V4_OPTIONS, 0, 3):
            found.append({"opt_name": name, "opt_value": value, "ip_version": 4})
        if draw.chance(0.4):
            for name, value in draw.some(V6_OPTIONS, 1, 2):
                found.append({"opt_name": name, "opt_value": value, "ip_version": 6})
        if draw.chance(0.03, "option/blank-value"):
            blank = draw.one(("router", "classless-static-route"))
            found = [option for option in found if option["opt_name"] != blank]
            found.append({"opt_name": blank, "opt_value": "", "ip_version": 4})
        if draw.chance(0.25):
            name = draw.one(("client-id", "61"))
            family = draw.weighted(((80, 4), (20, 6)))
            draw.note(f"option/client-id/{name}")
            found.append({"opt_name": name, "opt_value": draw.one(CLIENT_IDS), "ip_version": family})
        for option in found:
            kind = "tag" if "tag:" in option["opt_name"] else "number" if option["opt_name"].isdigit() else "name"
            draw.note(f"option/{kind}/ipv{option['ip_version']}")
        draw.rng.shuffle(found)
        return found

    def _name(self, port: Port) -> None:
        """dns_assignment as the server's DNS extensions write it: one entry an address, domains with their last dot."""
        if self.dns_integration == "absent":
            return
        if self.dns_integration in ("null", "empty"):
            port["dns_assignment"] = None if self.dns_integration == "null" else []
            return
        draw = self.draw
        domain = self.dns_domain if self.dns_domain.endswith(".") or not self.dns_domain else f"{self.dns_domain}."
        name = draw.one(NAMES) if draw.chance(0.4, "dns-assignment/named") else ""
        if name and domain and draw.chance(0.1, "dns-assignment/fqdn-as-name"):
            name = f"{name}.{domain}"
        found = []
        for fixed in port["fixed_ips"]:
            hostname = name or "host-" + fixed["ip_address"].replace(".", "-").replace(":", "-")
            fqdn = hostname if hostname.endswith(".") or not (domain or name) else f"{hostname}.{domain}"
            found.append({"ip_address": fixed["ip_address"], "hostname": hostname, "fqdn": fqdn})
        if self.dns_integration == "given-in-part" and found and draw.chance(0.5):
            found.pop(draw.number(0, len(found) - 1))
        port.update(dns_name=name, dns_assignment=found)


def _gateway_inside(subnet: Subnet) -> bool:
    """The server gives a router port only addresses of its subnet, so never a gateway from outside it."""
    gateway = subnet["gateway_ip"]
    return gateway is not None and ipaddress.ip_address(gateway) in ipaddress.ip_network(subnet["cidr"])


def device_id(host: str, network_id: str) -> str:
    """The device_id of the DHCP port that the agent on `host` makes for a network."""
    return f"dhcp{uuid.uuid5(uuid.NAMESPACE_DNS, host.split('.')[0])}-{network_id}"
