"""Asks a DHCP server on behalf of every port of a network, and of a stranger, and holds the answers against what they
should be.

Knows what to ask and how to compare; what is right is worked out by `support.expected4` and `support.expected6`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Address, ip_address

from support.dhcp_client import Answer6, DhcpClients, Offer, classless_routes, domain_names
from support.expected4 import Expectations4, Expected4
from support.expected6 import Expectations6, Expected6
from support.option_values import NEXT_SERVER, Options, Wire, addresses_in, client_id
from support.served_instance import INFINITE, ServedInstance

_STRANGER = "06:00:00:00:00:01"
_EVERYBODY = "ff:ff:ff:ff:ff:ff"
_NO_ADDRESS = 2  # RFC 8415 section 21.13, NoAddrsAvail
_HOSTNAME, _DOMAIN, _DOMAIN_SEARCH, _ROUTES, _ROUTES_MICROSOFT = 12, 15, 119, 121, 249
_PREFERENCE_6, _DNS_6, _REFRESH_TIME_6, _FQDN_6 = 7, 23, 32, 39
_IPXE_4 = (175, b"\1\1\1")  # an option of its own tells that iPXE is there
_IPXE_6 = b"iPXE"


class Questioner:
    """Puts every question to one server.

    Args:
        largest: the longest answer that clients take, in bytes.
        unknown: ids of ports of which it is not known what they should be told: they may have no address but their own.
        secret: what only those may be told of whom it is known that they should be.

    Attributes:
        complaints: one line for each thing that a client was told otherwise than it should have been.
        asked: how many questions of each kind.
    """

    def __init__(
        self,
        clients: DhcpClients,
        instance: ServedInstance,
        *,
        largest: int,
        unknown: frozenset[str] = frozenset(),
        secret: bytes,
    ) -> None:
        self.complaints: list[str] = []
        self.asked: Counter[str] = Counter()
        self._clients = clients
        self._instance = instance
        self._expected4 = Expectations4(instance)
        self._expected6 = Expectations6(instance)
        self._largest = largest
        # Ports with one client id are one client to dnsmasq, so what is not known of one is not known of the other.
        theirs = {client_id(port) for port in instance.ports if port["id"] in unknown} - {None}
        self._unknown = unknown | {port["id"] for port in instance.ports if client_id(port) in theirs}
        self._secret = secret

    def ask_for_everybody(self) -> None:
        """Ask for each port of the network but the server's own, and for a stranger."""
        for port in self._instance.ports:
            if port is self._instance.own_port:
                continue
            if port["id"] in self._unknown:
                self._ask_for_an_unknown(port)
                continue
            names = [option["opt_name"] for option in port.get("extra_dhcp_opts") or ()]
            self._ask4(port, boots=any("ipxe," in name for name in names))
            if self._instance.served6:
                self._ask6(port, boots=any("ipxe6," in name for name in names))
        self._ask_for_a_stranger()

    def _ask_for_a_stranger(self) -> None:
        clients, silence = self._clients, not self._instance.served6
        self._judge4("a stranger's DISCOVER", _STRANGER, None, clients.discover(_STRANGER, silence=True))
        nothing = [] if silence else [Expected6(address=None, options={})]
        self._judge6("a stranger's SOLICIT", nothing, clients.solicit(_STRANGER, silence=silence))
        answer = clients.request_information(_STRANGER, silence=silence)
        self._judge6("a stranger's INFORMATION-REQUEST", self._expected6.informed(None), answer)

    def _ask_for_an_unknown(self, port: Wire) -> None:
        own = [str(ip_address(fixed["ip_address"])) for fixed in port["fixed_ips"]]
        # Its own, and what another port with the same name makes dnsmasq take for its own.
        own += [expected.address for expected in self._expected6.advertised(port) if expected.address is not None]
        # It may be answered or not, so the server must have handled it before there is nothing.
        offer = self._clients.discover(port["mac_address"], largest=self._largest, silence=True)
        answer = self._clients.solicit(port["mac_address"], silence=True)
        self.asked["unknown"] += 2
        offered = ([offer.address], offer.options) if offer else ([], {})
        advertised = ([address for address, _, _ in answer.addresses], answer.options) if answer else ([], {})
        for addresses, options in (offered, advertised):
            if foreign := [address for address in addresses if address not in own]:
                self.complaints.append(f"port {port['id']} was offered {foreign}, and has {own}")
            if told := [code for code, value in options.items() if self._secret in value]:
                self.complaints.append(f"port {port['id']} was told another's options {told}")

    # -- DHCPv4

    def _ask4(self, port: Wire, *, boots: bool) -> None:
        self._discover(port)
        for subnet in self._instance.served4:
            self._discover(port, selected=subnet)
        if boots:
            self._discover(port, tag="ipxe")

    def _discover(self, port: Wire, *, selected: Wire | None = None, tag: str | None = None) -> None:
        expected = self._expected4.offered(port, selected, frozenset({tag} if tag else ()))
        offer = self._clients.discover(
            port["mac_address"],
            client_id=client_id(port),
            subnet=selected["cidr"].split("/")[0] if selected else None,
            options=[_IPXE_4] if tag else [],
            largest=self._largest,
            silence=expected is None,
        )
        what = f"port {port['id']}'s DISCOVER"
        what += f" for {selected['cidr']}" if selected else ""
        what += f" by {tag}" if tag else ""
        self._judge4(what, port["mac_address"], expected, offer)

    def _judge4(self, what: str, mac: str, expected: Expected4 | None, offer: Offer | None) -> None:
        self.asked["DHCPv4"] += 1
        judge = _Judge(what)
        if expected is None or offer is None:
            judge.equal("", expected and expected.address, offer and offer.address)
        else:
            judge.equal("", expected.address, offer.address)
            judge.equal(", options sent twice", [], offer.repeated)
            broadcast = self._instance.options.get("dhcp_broadcast_reply")
            judge.equal(", sent to", _EVERYBODY if broadcast else mac.lower(), offer.destination)
            judge.options(_shown4, expected.options, offer.options | {NEXT_SERVER: _packed(offer.next_server)})
        self.complaints += judge.complaints

    # -- DHCPv6

    def _ask6(self, port: Wire, *, boots: bool) -> None:
        self._solicit(port, None)
        if boots:
            self._solicit(port, "ipxe6")

    def _solicit(self, port: Wire, tag: str | None) -> None:
        mac, who = port["mac_address"], f"port {port['id']}'s"
        tags = frozenset({tag} if tag else ())
        by, user_class = (f" by {tag}", _IPXE_6) if tag else ("", None)
        answer = self._clients.solicit(mac, user_class=user_class)
        self._judge6(f"{who} SOLICIT{by}", self._expected6.advertised(port, tags), answer)
        answer = self._clients.request_information(mac, user_class=user_class)
        self._judge6(f"{who} INFORMATION-REQUEST{by}", self._expected6.informed(port, tags), answer)

    def _judge6(self, what: str, expected: list[Expected6], answer: Answer6 | None) -> None:
        self.asked["DHCPv6"] += 1
        if answer is None or not expected:
            judge = _Judge(what)
            judge.equal("", expected or None, answer)
            self.complaints += judge.complaints
            return
        # Nearly always there is one answer that it may be; where there are several, the nearest judges.
        judged = [self._complaints6(what, one, answer) for one in expected]
        self.complaints += sorted(judged, key=len)[0]

    def _complaints6(self, what: str, expected: Expected6, answer: Answer6) -> list[str]:
        judge = _Judge(what)
        got = dict(answer.options)
        # Both have defaults of dnsmasq's own.
        got.pop(_PREFERENCE_6, None)
        if _REFRESH_TIME_6 not in expected.options:
            got.pop(_REFRESH_TIME_6, None)
        addresses = [address for address, _, _ in answer.addresses]
        judge.equal("", [expected.address] if expected.address else [], addresses)
        judge.equal(", options sent twice", [], answer.repeated)
        nothing = "SOLICIT" in what and expected.address is None
        judge.equal(", status", _NO_ADDRESS if nothing else 0, answer.status)
        if expected.address is not None:
            valid = expected.lifetimes[1]
            # RFC 8415 section 21.4 recommends 0.5 and 0.8 of it; dnsmasq takes 7/8.
            times = (valid, valid) if valid == INFINITE else (valid // 2, valid // 8 * 7)
            judge.equal(", T1 and T2", times, answer.times)
            for told in answer.addresses:
                judge.equal(", lifetimes", expected.lifetimes, told[1:])
        servers = got.pop(_DNS_6, None)
        told_dns = None if servers is None else addresses_in(servers)
        judge.equal(", DNS servers", self._own_as_any(expected.dns), self._own_as_any(told_dns))
        judge.options(_shown6, expected.options, got)
        return judge.complaints

    def _own_as_any(self, addresses: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """The addresses, with one "::" for each row of the server's own: which they are is its choice."""
        if addresses is None:
            return None
        shown: list[str] = []
        for address in addresses:
            one = "::" if address in {"::", *self._instance.own_addresses6} else address
            if one != "::" or shown[-1:] != ["::"]:
                shown.append(one)
        return tuple(shown)


class _Judge:
    """Compares what one client was told with what it should have been told."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.complaints: list[str] = []

    def equal(self, detail: str, expected: object, got: object) -> None:
        if expected != got:
            self.complaints.append(f"{self._what}{detail}: expected {expected}, got {got}")

    def options(self, shown: Callable[[int, bytes | None], object], expected: Options, got: Options) -> None:
        for code in sorted(expected.keys() | got.keys()):
            self.equal(f", option {code}", shown(code, expected.get(code)), shown(code, got.get(code)))


def _packed(address: str) -> bytes:
    return IPv4Address(address).packed


# In these forms equal things are equal, and things that differ can be read.


def _shown4(code: int, data: bytes | None) -> object:
    if data is None:
        return None
    if code in (_HOSTNAME, _DOMAIN):
        return data.lower()
    if code == _DOMAIN_SEARCH:
        return domain_names(data)
    if code in (_ROUTES, _ROUTES_MICROSOFT):
        return classless_routes(data)
    return data


def _shown6(code: int, data: bytes | None) -> object:
    # RFC 4704: flags and a name in labels; the first label is the host's, whatever domain is known for it.
    if data is not None and code == _FQDN_6:
        return data[1 : 2 + data[1]].lower()
    return data
