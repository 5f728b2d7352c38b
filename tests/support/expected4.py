"""What the DHCPv4 clients of one network must be told, worked out from the network as the server sent it.

Half of the test against a real dnsmasq: nothing here looks at a rendered file, and nothing of dhcpcore is used. Knows
Neutron's rules for what a subnet announces, and how dnsmasq 2.90 chooses where a client has several reservations
(src/dhcp-common.c, find_config): the last one in its file wins. Every choice of dnsmasq's that is no rule of DHCP has a
comment; elsewhere the RFC is the rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, ip_network
from typing import Final

from support.option_values import NEXT_SERVER, Options, Wire, client_id, own_options, route_list, selects_options
from support.served_instance import INFINITE, ServedInstance, subnet_of

_ROUTER_INTERFACES: Final = frozenset(
    {
        "network:router_interface",
        "network:ha_router_replicated_interface",
        "network:router_interface_distributed",
    }
)
_DEFAULT_ROUTE: Final = "0.0.0.0/0"
_METADATA_CIDR: Final = "169.254.169.254/32"

# RFC 2132 and successors
_NETMASK, _ROUTER, _DNS, _HOSTNAME, _DOMAIN, _MTU, _BROADCAST = 1, 3, 6, 12, 15, 26, 28
_LEASE_TIME, _SERVER_ID, _T1, _T2, _SUBNET_SELECTION = 51, 54, 58, 59, 118
_CLASSLESS_ROUTES, _CLASSLESS_ROUTES_MICROSOFT = 121, 249


@dataclass(frozen=True, kw_only=True)
class Expected4:
    """An OFFER of this address; `options` are all that it has, with siaddr as NEXT_SERVER."""

    address: str
    options: Options


class Expectations4:
    """What the DHCPv4 clients of an instance must be told."""

    def __init__(self, instance: ServedInstance) -> None:
        self._instance = instance

    def offered(self, port: Wire, selected: Wire | None = None, tags: frozenset[str] = frozenset()) -> Expected4 | None:
        """The OFFER for a port, None for silence.

        Args:
            selected: the subnet that the client asks to be served from (RFC 3011); None where it leaves the choice.
            tags: what the client is besides, e.g. "ipxe".
        """
        within = [selected] if selected is not None else self._instance.served4
        lines = [line for line in self._instance.reservations4 if subnet_of(line.addresses[0], within) is not None]
        # A client id comes before the MAC. Two ports of a network with one client id are a fault of their owner, who
        # must see to it that it is unique (RFC 2132 section 9.14): the last reservation is found for both.
        known = client_id(port)
        by_id = [line for line in lines if known is not None and client_id(line.port) == known]
        found = by_id or [line for line in lines if line.port is port]
        if not found:
            return None
        # Of several addresses of a port only one can be offered: the last.
        line = found[-1]
        port, address = line.port, line.addresses[0]
        subnet = subnet_of(address, within)
        assert subnet is not None
        options = self._announced4(subnet)
        options[_HOSTNAME] = (line.name or "").encode()
        own = own_options(port, 4, tags) if selects_options(port) else {}
        self._set_times(options, own.pop(_T1, None))
        options.update(own)
        # An empty list of routers is how to announce none.
        if options.get(_ROUTER) == b"":
            del options[_ROUTER]
        if selected is not None:
            options[_SUBNET_SELECTION] = IPv4Address(ip_network(selected["cidr"]).network_address).packed
        return Expected4(address=address, options=options)

    def _announced4(self, subnet: Wire) -> Options:
        network = ip_network(subnet["cidr"])
        own = self._instance.own_addresses(subnet)[0]
        assert network.version == 4
        here = IPv4Address(own).packed
        options: Options = {
            _SERVER_ID: here,
            NEXT_SERVER: here,
            _NETMASK: network.netmask.packed,
            _BROADCAST: network.broadcast_address.packed,
        }
        dns = subnet["dns_nameservers"] or self._instance.all_servers(subnet) or [own]
        if dns != ["0.0.0.0"]:
            # dnsmasq puts itself in the place of 0.0.0.0.
            options[_DNS] = b"".join(here if one == "0.0.0.0" else IPv4Address(one).packed for one in dns)
        gateway = _gateway(subnet)
        if gateway is not None:
            # Likewise where a default route says "on the link".
            options[_ROUTER] = here if gateway == "0.0.0.0" else IPv4Address(gateway).packed
        routes = self._routes(subnet, gateway)
        if routes:
            encoded = route_list(routes)
            options |= {_CLASSLESS_ROUTES: encoded, _CLASSLESS_ROUTES_MICROSOFT: encoded}
        if self._instance.network.get("mtu"):
            options[_MTU] = int(self._instance.network["mtu"]).to_bytes(2, "big")
        if self._instance.domain:
            options[_DOMAIN] = self._instance.domain.rstrip(".").encode()
        return options

    def _routes(self, subnet: Wire, gateway: str | None) -> list[tuple[str, str]]:
        """Classless routes in the order of RFC 3442: a route's next hop is reachable by what is before it."""
        given = [
            (route["destination"], route["nexthop"])
            for route in subnet["host_routes"]
            if route["destination"] != _DEFAULT_ROUTE
        ]
        metadata = self._metadata_hop(subnet, gateway)
        on_link = [
            (other["cidr"], "0.0.0.0")
            for other in reversed(self._instance.known)
            if other["ip_version"] == 4
            if other["cidr"] != subnet["cidr"] and other.get("segment_id") == subnet.get("segment_id")
        ]
        routes = on_link + given + ([(_METADATA_CIDR, metadata)] if metadata else [])
        # A client that is given classless routes ignores the router option.
        return [*routes, (_DEFAULT_ROUTE, gateway)] if routes and gateway else routes

    def _metadata_hop(self, subnet: Wire, gateway: str | None) -> str | None:
        """Where the metadata service is: OVN's port, this server for isolated subnets, or the router."""
        for port in self._instance.ports:
            if (
                port["device_owner"] == "network:distributed"
                and port["device_id"] == f"ovnmeta-{self._instance.network['id']}"
            ):
                for fixed in port["fixed_ips"]:
                    if fixed["subnet_id"] == subnet["id"]:
                        return str(fixed["ip_address"])
                break
        routed = any(
            fixed["subnet_id"] == subnet["id"] and fixed["ip_address"] == subnet["gateway_ip"]
            for port in self._instance.ports
            if port["device_owner"] in _ROUTER_INTERFACES
            for fixed in port["fixed_ips"]
        )
        if self._instance.options.get("force_metadata") or (
            not routed and self._instance.options.get("enable_isolated_metadata")
        ):
            # The last of its addresses there, as Neutron's agent looks them up.
            return self._instance.own_addresses(subnet)[-1]
        return gateway if routed else None

    def _set_times(self, options: Options, own_renewal: bytes | None) -> None:
        """Lease time, T1 and T2, as dnsmasq makes them agree (src/rfc2131.c, do_options)."""
        lease = self._instance.lease_time
        options[_LEASE_TIME] = lease.to_bytes(4, "big")
        if lease == INFINITE:
            return
        renewal, rebinding = lease // 2, lease * 7 // 8
        wanted = (
            int.from_bytes(own_renewal, "big") if own_renewal else self._instance.options.get("dhcp_renewal_time", 0)
        )
        if 2 < wanted < lease:
            renewal = wanted
        if 2 < self._instance.options.get("dhcp_rebinding_time", 0) < lease:
            rebinding = self._instance.options["dhcp_rebinding_time"]
        renewal = min(renewal, rebinding - 1)
        options |= {_T1: renewal.to_bytes(4, "big"), _T2: rebinding.to_bytes(4, "big")}


def _gateway(subnet: Wire) -> str | None:
    """A subnet's gateway, else the next hop of its first default route."""
    defaults = [route["nexthop"] for route in subnet["host_routes"] if route["destination"] == _DEFAULT_ROUTE]
    gateway: str | None = subnet["gateway_ip"] or (defaults[0] if defaults else None)
    return gateway
