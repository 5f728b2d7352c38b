"""The wire: what a Neutron server sends, as models and events; and models as it would send them.

Payloads are JSON as Python has it (dicts, lists, texts, numbers, booleans, None); nothing of a transport is known here.
Fields that no model has are ignored.  What cannot be a model raises `PayloadError` with the path of the field.
"""

from __future__ import annotations

from dhcpcore.wire.answers import RefusedNetwork, fetched_networks, parse_networks
from dhcpcore.wire.network import parse_network, parse_segment, parse_subnet
from dhcpcore.wire.notifications import NOTIFICATIONS, event_or_refusal, network_id_of, parse_event
from dhcpcore.wire.port import parse_port
from dhcpcore.wire.writing import network_to_wire, port_to_wire, segment_to_wire, subnet_to_wire

__all__ = [
    "NOTIFICATIONS",
    "RefusedNetwork",
    "event_or_refusal",
    "fetched_networks",
    "network_id_of",
    "network_to_wire",
    "parse_event",
    "parse_network",
    "parse_networks",
    "parse_port",
    "parse_segment",
    "parse_subnet",
    "port_to_wire",
    "segment_to_wire",
    "subnet_to_wire",
]
