"""What the server casts to an agent: a method's name and its payload, as an event.

The names and payloads are those of Neutron 29 (neutron/api/rpc/agentnotifiers/dhcp_rpc_agent_api.py); ``priority`` is
the server's wish about its own agent's queue and means nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from dhcpcore.errors import PayloadError, shown
from dhcpcore.events import (
    AgentUpdated,
    Event,
    NetworkCreated,
    NetworkDeleted,
    NetworkUpdated,
    PayloadRefused,
    PortCreated,
    PortDeleted,
    PortUpdated,
    SubnetCreated,
    SubnetDeleted,
    SubnetUpdated,
)
from dhcpcore.model.checks import check_bool, check_id, check_optional_count, check_optional_id
from dhcpcore.wire.network import parse_subnet
from dhcpcore.wire.port import parse_fixed_ip, parse_port
from dhcpcore.wire.reading import Payload, as_object, checked, each_member, inside, readable_id, shared


def parse_event(method: str, payload: Any, *, at: float = 0.0) -> Event:
    """The event that a notification tells.

    Args:
        method: one of `NOTIFICATIONS`.
        payload: the message's argument ``payload``.
        at: monotonic seconds of when it was received.

    Raises:
        PayloadError: no such method (path ``method``), or the payload is not what that method carries.
    """
    parse = NOTIFICATIONS.get(method) if type(method) is str else None
    if parse is None:
        raise PayloadError("method", "one of " + ", ".join(NOTIFICATIONS), shown(method))
    return parse(as_object(payload), at)


def event_or_refusal(method: str, payload: Any, *, at: float = 0.0) -> Event:
    """Like `parse_event`, with an event instead of an error: what was refused, and which network to fetch anew."""
    try:
        return parse_event(method, payload, at=at)
    except PayloadError as error:
        known = type(method) is str and method in NOTIFICATIONS
        return PayloadRefused(at=at, message=str(error), network_id=network_id_of(payload), understood=known)


def network_id_of(payload: Any) -> str | None:
    """The network that a notification's payload is about, as far as that can be read off even a bad one."""
    if not isinstance(payload, Mapping):
        return None
    places = [payload.get("network_id")]
    for name, key in (("port", "network_id"), ("subnet", "network_id"), ("network", "id")):
        inner = payload.get(name)
        if isinstance(inner, Mapping):
            places.append(inner.get(key))
    return next((found for found in map(readable_id, places) if found is not None), None)


def _network_created(payload: Payload, at: float) -> Event:
    return NetworkCreated(at=at, network_id=inside(payload, "network", _own_id))


def _network_updated(payload: Payload, at: float) -> Event:
    def parse(value: Any) -> Event:
        network = as_object(value)
        known = network.get("subnets") is not None
        return NetworkUpdated(
            at=at,
            network_id=_own_id(network),
            admin_state_up=True if "admin_state_up" not in network else _flag(network, "admin_state_up"),
            mtu=checked(network, "mtu", check_optional_count),
            subnet_ids=each_member(network, "subnets", _subnet_id) if known else None,
        )

    return inside(payload, "network", parse)


def _network_deleted(payload: Payload, at: float) -> Event:
    return NetworkDeleted(at=at, network_id=checked(payload, "network_id", check_id))


def _subnet_created(payload: Payload, at: float) -> Event:
    return SubnetCreated(at=at, subnet=inside(payload, "subnet", parse_subnet))


def _subnet_updated(payload: Payload, at: float) -> Event:
    return SubnetUpdated(at=at, subnet=inside(payload, "subnet", parse_subnet))


def _subnet_deleted(payload: Payload, at: float) -> Event:
    return SubnetDeleted(
        at=at,
        subnet_id=checked(payload, "subnet_id", check_id),
        network_id=checked(payload, "network_id", check_optional_id),
    )


def _port_created(payload: Payload, at: float) -> Event:
    return PortCreated(at=at, port=inside(payload, "port", parse_port))


def _port_updated(payload: Payload, at: float) -> Event:
    return PortUpdated(at=at, port=inside(payload, "port", parse_port))


def _port_deleted(payload: Payload, at: float) -> Event:
    return PortDeleted(
        at=at,
        port_id=checked(payload, "port_id", check_id),
        network_id=checked(payload, "network_id", check_optional_id),
        fixed_ips=each_member(payload, "fixed_ips", parse_fixed_ip),
    )


def _agent_updated(payload: Payload, at: float) -> Event:
    return AgentUpdated(at=at, admin_state_up=_flag(payload, "admin_state_up"))


def _own_id(value: Any) -> str:
    return str(checked(as_object(value), "id", check_id))


def _flag(payload: Payload, name: str) -> bool:
    return bool(checked(payload, name, check_bool))


def _subnet_id(value: Any) -> str:
    # The network's own form has ids, that of an answer to a fetch has objects.
    if isinstance(value, Mapping):
        return _own_id(value)
    found = readable_id(value)
    if found is None:
        raise PayloadError("", "a subnet's id", shown(value))
    return str(shared(found))


#: The methods that a server calls on a DHCP agent, and what parses their payloads.
NOTIFICATIONS: Final[dict[str, Callable[[Payload, float], Event]]] = {
    "network_create_end": _network_created,
    "network_update_end": _network_updated,
    "network_delete_end": _network_deleted,
    "subnet_create_end": _subnet_created,
    "subnet_update_end": _subnet_updated,
    "subnet_delete_end": _subnet_deleted,
    "port_create_end": _port_created,
    "port_update_end": _port_updated,
    "port_delete_end": _port_deleted,
    "agent_updated": _agent_updated,
}
