"""What DHCP agents call (Neutron: dhcp_rpc.DhcpRpcCallback, agents_db.AgentExtRpcCallback), over `core.Neutron`.

Transports know it as `dhcpcore_adapters.rpc.Plugin`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

import sqlalchemy as sa

from dhcpcore_adapters.rpc import Notify, RpcRefusal
from reference_server import bodies
from reference_server.agents import dhcp_agent_on, report_state
from reference_server.core import Neutron
from reference_server.errors import ApiError, not_found
from reference_server.ports import create_port, delete_port, get_port, ports_are_ready, update_port
from reference_server.scheduling import RESERVED, dhcp_device_id, hosting, schedule_for
from reference_server.schema import bindings, networks, ports, subnets
from reference_server.segments import described_segments
from reference_server.transaction import Transaction, Wire
from reference_server.views import find_ports, find_subnets

#: Answered with None: something has just been deleted, or is not what the agent thought (dhcp_rpc._port_action).
_SWALLOWED: Final = ("NetworkNotFound", "SubnetNotFound", "InvalidInput", "InvalidIpForSubnet")


class DhcpPlugin:
    """Calls and notifications of agents. Any thread may use it."""

    def __init__(self, neutron: Neutron) -> None:
        self._neutron = neutron
        self._methods: Mapping[str, Callable[..., Any]] = {
            "create_dhcp_port": _create_dhcp_port,
            "dhcp_ready_on_ports": _dhcp_ready_on_ports,
            "get_active_networks_info": _get_active_networks_info,
            "get_dhcp_port": _get_dhcp_port,
            "get_network_info": _get_network_info,
            "release_dhcp_port": _release_dhcp_port,
            "report_state": _report_state,
            "update_dhcp_port": _update_dhcp_port,
        }

    def call(self, host: str, method: str, arguments: Mapping[str, Any]) -> Any:
        """Carry out one call of the agent on `host`; members that Neutron sends beside the arguments are ignored."""
        function = self._methods.get(method)
        if function is None:
            raise RpcRefusal("NoSuchMethod", f"This server has no method {method!r}.")
        try:
            # What is stored must be readable over HTTP: no NaN, no lone surrogates.
            json.dumps(arguments, allow_nan=False, ensure_ascii=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise RpcRefusal("InvalidInput", f"The arguments of {method} are no JSON: {error}") from None
        try:
            with self._neutron.transaction() as tx:
                return function(tx, host, _Arguments(arguments))
        except ApiError as error:
            raise RpcRefusal(error.type, error.message) from None

    def subscribe(self, host: str, notify: Notify) -> Callable[[], None]:
        """Tell `notify` what the agent on `host` is to hear; the function returned ends it."""
        return self._neutron.subscribe(host, notify)


class _Arguments(dict[str, Any]):
    """A call's arguments; one that is missing or of another kind is refused by name."""

    def text(self, name: str) -> str:
        value: str = self._of(name, str, "a text")
        return value

    def texts(self, name: str) -> list[str]:
        values: list[str] = self._of(name, list, "a list of texts")
        if not all(isinstance(each, str) for each in values):
            raise ApiError("HTTPBadRequest", f"argument {name} must be a list of texts")
        return values

    def member(self, name: str) -> Wire:
        """The object within ``{name: {...}}``, or the object itself."""
        outer: Wire = self._of(name, dict, "an object")
        inner = outer.get(name)
        return dict(inner if isinstance(inner, dict) else outer)

    def _of(self, name: str, kind: type, what: str) -> Any:
        value = self.get(name)
        if not isinstance(value, kind):
            raise ApiError("HTTPBadRequest", f"argument {name} must be {what}")
        return value


def _get_active_networks_info(tx: Transaction, host: str, arguments: _Arguments) -> list[Wire]:
    """The networks of this host's agent: none for one that is unknown or administratively down."""
    agent = dhcp_agent_on(tx, host)
    if agent is None or not agent["admin_state_up"]:
        return []
    schedule_for(tx, agent)
    mine = sa.select(bindings.c.network_id).where(bindings.c.agent_id == agent["id"])
    return _describe(tx, host, [networks.c.id.in_(mine), networks.c.admin_state_up])


def _get_network_info(tx: Transaction, host: str, arguments: _Arguments) -> Wire | None:
    """One network, whoever serves it, with all its subnets; None where there is none."""
    return next(iter(_describe(tx, host, [networks.c.id == arguments.text("network_id")])), None)


def _describe(tx: Transaction, host: str, which: list[sa.ColumnElement[bool]]) -> list[Wire]:
    """Networks as agents are told of them, with as many queries for a thousand as for one."""
    rows = tx.rows(sa.select(networks).where(*which).order_by(networks.c.seq))
    chosen = sa.select(networks.c.id).where(*which)
    subnets_of: dict[str, list[Wire]] = defaultdict(list)
    for subnet in find_subnets(tx, subnets.c.network_id.in_(chosen), order=[subnets.c.id]):
        subnets_of[subnet["network_id"]].append(subnet)
    ports_of: dict[str, list[Wire]] = defaultdict(list)
    for port in find_ports(tx, ports.c.network_id.in_(chosen)):
        ports_of[port["network_id"]].append(port)
    described = []
    for row in rows:
        local, elsewhere, parts = subnets_of[row["id"]], [], []
        if any(subnet["segment_id"] for subnet in local):
            parts = described_segments(tx, row["id"])
            mapped = {part["id"] for part in parts if host in part["hosts"]}
            elsewhere = [subnet for subnet in local if subnet["segment_id"] not in mapped]
            local = [subnet for subnet in local if subnet["segment_id"] in mapped]
        network = {
            "id": row["id"],
            "project_id": row["project_id"],
            "admin_state_up": row["admin_state_up"],
            "subnets": local,
            "non_local_subnets": elsewhere,
            "ports": ports_of[row["id"]],
            "mtu": row["mtu"],
        }
        described.append(network | ({"segments": parts} if parts else {}))
    return described


def _create_dhcp_port(tx: Transaction, host: str, arguments: _Arguments) -> Wire | None:
    """A new DHCP port bound to this host; None where the network or a subnet has just gone."""
    attributes = bodies.read(bodies.PortCreate, arguments.member("port"), "port")
    attributes |= {"device_owner": "network:dhcp", "host_id": host}
    return _or_none(tx, lambda: create_port(tx, attributes))


def _update_dhcp_port(tx: Transaction, host: str, arguments: _Arguments) -> Wire | None:
    """Change a DHCP port that is reserved or this host's; None for any other, a segment's included."""
    port_id, wanted = arguments.text("port_id"), arguments.member("port")
    network_id = str(wanted.pop("network_id", ""))
    wanted.pop("id", None)
    changes = bodies.read(bodies.PortUpdate, wanted, "port")
    known = tx.row(sa.select(ports.c.device_id).where(ports.c.id == port_id))
    if known is None or known["device_id"] not in (RESERVED, dhcp_device_id(host, network_id)):
        return None
    if all(agent["host"] != host for agent in hosting(tx, network_id)):
        raise not_found("Network", network_id)
    return _or_none(tx, lambda: update_port(tx, port_id, changes | {"host_id": host}))


def _or_none(tx: Transaction, action: Callable[[], Wire]) -> Wire | None:
    """What `action` answers, or None, and nothing done, where Neutron would answer that."""
    told = len(tx.notices)
    try:
        with tx.db.begin_nested():
            return action()
    except ApiError as error:
        if error.type not in _SWALLOWED:
            raise
        tx.free_from.clear()
        del tx.notices[told:]
        return None


def _get_dhcp_port(tx: Transaction, host: str, arguments: _Arguments) -> Wire:
    return get_port(tx, arguments.text("port_id"))


def _release_dhcp_port(tx: Transaction, host: str, arguments: _Arguments) -> None:
    """Delete every port of the network with this device_id."""
    same = (ports.c.network_id == arguments.text("network_id"), ports.c.device_id == arguments.text("device_id"))
    for port_id in tx.column(sa.select(ports.c.id).where(*same)):
        delete_port(tx, port_id)


def _dhcp_ready_on_ports(tx: Transaction, host: str, arguments: _Arguments) -> None:
    """These ports are served: they may turn ACTIVE."""
    ports_are_ready(tx, arguments.texts("port_ids"))


def _report_state(tx: Transaction, host: str, arguments: _Arguments) -> str:
    return report_state(tx, host, arguments.member("agent_state"))
