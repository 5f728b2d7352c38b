"""Raw DHCPv4 on a wire: a socket that sees every frame at a device, and the exchanges of a lease's life.

A client here has no device of its own: its MAC address is in its frames only. So it can be anybody, at any place: on a
bridge, or on a station's device. Where a server has to find it, it answers ARP. Knows packets and sockets, and nothing
of what a server should say.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

from support.clients.inside import in_namespace
from support.dhcp_packets import (
    ACK,
    CLIENT_ID,
    DISCOVER,
    EVERY_OPTION,
    OFFER,
    PARAMETER_REQUEST_LIST,
    RELEASE,
    REQUEST,
    REQUESTED_ADDRESS,
    SERVER_ID,
    Reply,
    frame4,
    mac_bytes,
    message4,
    read_reply,
)

ETH_P_IP: Final = 0x0800
ETH_P_ARP: Final = 0x0806
# linux/if_packet.h
_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, _PACKET_MR_PROMISC = 263, 1, 1
_ARP_REQUEST: Final = struct.pack("!HHBBH", 1, ETH_P_IP, 6, 4, 1)
_ARP_REPLY: Final = struct.pack("!HHBBH", 1, ETH_P_IP, 6, 4, 2)


@dataclass(frozen=True, kw_only=True)
class Leased:
    """A lease that a raw client holds.

    Attributes:
        server: the server's IPv4 address; server_mac: where its answers come from.
        lease_time: seconds.
    """

    mac: str
    address: str
    server: str
    server_mac: str
    lease_time: int
    client_id: bytes | None = None

    @property
    def identity(self) -> list[tuple[int, bytes]]:
        """The options that every message of this client has."""
        return [] if self.client_id is None else [(CLIENT_ID, self.client_id)]

    def extension(self, transaction: int, *, broadcast: bool = False) -> bytes:
        """The frame of a REQUEST that extends it: unicast to its server (RENEWING), or to all (REBINDING)."""
        options = [*self.identity, (PARAMETER_REQUEST_LIST, EVERY_OPTION)]
        message = message4(REQUEST, self.mac, transaction, options, address=self.address)
        if broadcast:
            return frame4(message, self.mac, source=self.address)
        return frame4(message, self.mac, source=self.address, destination=self.server, to=self.server_mac)


def open_wire(device: str, namespace: str | None = None, protocol: int = ETH_P_IP) -> socket.socket:
    """An AF_PACKET socket that takes every frame that comes in at a device, whoever it is for; not blocking.

    On a bridge those are the frames that reach it through any of its ports. It sees nothing that is sent there.

    Raises:
        OSError: there is no such device.
    """

    def opened() -> socket.socket:
        # Of no protocol until it is bound, so that it takes nothing from other devices.
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            made.bind((device, protocol))
            promiscuous = struct.pack("iHH8s", socket.if_nametoindex(device), _PACKET_MR_PROMISC, 0, bytes(8))
            made.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, promiscuous)
            made.setblocking(False)
        except BaseException:
            made.close()
            raise
        return made

    return in_namespace(namespace, opened)


def arp_answer(frame: bytes, address: bytes, mac: bytes) -> bytes | None:
    """The answer of the one that has `address` to an ARP request for it (RFC 826); None to any other frame."""
    if frame[14:22] != _ARP_REQUEST or frame[38:42] != address or frame[6:12] == mac:
        return None
    asker = frame[22:28]
    return asker + mac + ETH_P_ARP.to_bytes(2, "big") + _ARP_REPLY + mac + address + asker + frame[28:32]


def new_transaction() -> int:
    """A transaction id that nobody uses."""
    return int.from_bytes(os.urandom(4), "big")


def discover_frame(mac: str, transaction: int, client_id: bytes | None = None) -> bytes:
    """A DISCOVER whose answer is broadcast, so that no device needs to have the MAC address."""
    identity = [] if client_id is None else [(CLIENT_ID, client_id)]
    options = [*identity, (PARAMETER_REQUEST_LIST, EVERY_OPTION)]
    return frame4(message4(DISCOVER, mac, transaction, options, broadcast=True), mac)


class Wire:
    """The wire at a device; a context manager.

    Args:
        namespace: where the device is; None for here.
    """

    def __init__(self, device: str, namespace: str | None = None) -> None:
        self._sockets = [open_wire(device, namespace)]
        try:
            self._sockets.append(open_wire(device, namespace, ETH_P_ARP))
        except BaseException:
            self._sockets[0].close()
            raise
        self._owned: dict[bytes, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            each.close()

    def send(self, frame: bytes) -> None:
        """Put a frame on the wire."""
        self._sockets[0].send(frame)

    def receive(self, seconds: float) -> Reply | None:
        """The next message of any server to any client, or None after `seconds`."""
        deadline = time.monotonic() + seconds
        ip, arp = self._sockets
        while True:
            with suppress(BlockingIOError):
                while True:
                    self._answer_arp(arp.recv(2048))
            with suppress(BlockingIOError):
                while True:
                    if (reply := read_reply(ip.recv(1 << 16))) is not None:
                        return reply
            if (left := deadline - time.monotonic()) <= 0:
                return None
            select.select(self._sockets, [], [], left)

    def ask(self, frame: bytes, transaction: int, seconds: float) -> Reply | None:
        """Send a message and return the answer to it, or None after `seconds`."""
        self.send(frame)
        deadline = time.monotonic() + seconds
        while (reply := self.receive(max(0.0, deadline - time.monotonic()))) is not None:
            if reply.transaction == transaction:
                return reply
        return None

    def _answer_arp(self, frame: bytes) -> None:
        for address, mac in self._owned.items():
            if (answer := arp_answer(frame, address, mac)) is not None:
                self._sockets[1].send(answer)

    # -- the life of a lease

    def discover(self, mac: str, *, client_id: bytes | None = None, seconds: float = 2) -> Reply | None:
        """The OFFER that this client is made."""
        transaction = new_transaction()
        return self.ask(discover_frame(mac, transaction, client_id), transaction, seconds)

    def take_lease(self, mac: str, *, client_id: bytes | None = None, seconds: float = 2) -> Leased:
        """DISCOVER, OFFER, REQUEST, ACK.

        Raises:
            AssertionError: the server made no offer, or did not keep to it.
        """
        offer = self.discover(mac, client_id=client_id, seconds=seconds)
        assert offer is not None, f"{mac} is offered nothing"
        assert offer.kind == OFFER
        transaction = new_transaction()
        identity = [] if client_id is None else [(CLIENT_ID, client_id)]
        chosen = [(REQUESTED_ADDRESS, socket.inet_aton(offer.address)), (SERVER_ID, offer.options[SERVER_ID])]
        options = [*chosen, *identity, (PARAMETER_REQUEST_LIST, EVERY_OPTION)]
        message = message4(REQUEST, mac, transaction, options, broadcast=True)
        answer = self.ask(frame4(message, mac), transaction, seconds)
        assert answer is not None, f"{mac}'s REQUEST is not answered"
        assert (answer.kind, answer.address) == (ACK, offer.address)
        self._owned[socket.inet_aton(answer.address)] = mac_bytes(mac)
        return Leased(
            mac=mac,
            address=answer.address,
            server=socket.inet_ntoa(answer.options[SERVER_ID]),
            server_mac=answer.source,
            lease_time=int.from_bytes(answer.options[51], "big"),
            client_id=client_id,
        )

    def extend(self, lease: Leased, *, broadcast: bool = False, seconds: float = 2) -> Reply | None:
        """Renew the lease (RENEWING), or, by broadcast, rebind it (REBINDING): the ACK or NAK, or None."""
        self._owned[socket.inet_aton(lease.address)] = mac_bytes(lease.mac)
        transaction = new_transaction()
        return self.ask(lease.extension(transaction, broadcast=broadcast), transaction, seconds)

    def release(self, lease: Leased) -> None:
        """Give the lease back; a server answers nothing."""
        options = [*lease.identity, (SERVER_ID, socket.inet_aton(lease.server))]
        message = message4(RELEASE, lease.mac, new_transaction(), options, address=lease.address)
        self.send(frame4(message, lease.mac, source=lease.address, destination=lease.server, to=lease.server_mac))
