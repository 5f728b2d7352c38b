"""What a Neutron server expects on the wire: topics, versions, arguments and the context of a call.

Knows Neutron's conventions (DhcpPluginApi 1.8 and PluginReportStateAPI 1.4 of Neutron 29); no messaging.  There is no
namespace on the wire: a message that names one is refused with UnsupportedVersion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from attrs import frozen

#: Neutron's topics: calls, state reports, and what agents are told.
PLUGIN: Final = "q-plugin"
REPORTS: Final = "q-reports-plugin"
AGENT: Final = "dhcp_agent"
#: The exchange of all three, where ``control_exchange`` names no other.
EXCHANGE: Final = "neutron"

Arguments = Mapping[str, Any]


@frozen(kw_only=True)
class Method:
    """How one method is called.

    Attributes:
        topic: who is asked; version: the least that the server must speak.
        arguments: makes those of the wire, from those of `dhcpcore.contracts.ServerRpc` and the agent's host.
        again: whether a message that the broker did not confirm may be published once more.
    """

    topic: str
    version: str
    arguments: Callable[[Arguments, str], dict[str, Any]]
    again: bool = True


def _with_host(arguments: Arguments, host: str) -> dict[str, Any]:
    return {**arguments, "host": host}


def _without(arguments: Arguments, host: str) -> dict[str, Any]:
    return dict(arguments)


def _all_subnets(arguments: Arguments, host: str) -> dict[str, Any]:
    return {"host": host, "enable_dhcp_filter": False}


def _one_network(arguments: Arguments, host: str) -> dict[str, Any]:
    # Without enable_dhcp the server leaves out the subnets that have no DHCP, and the two answers would disagree.
    return {**arguments, "host": host, "enable_dhcp": None}


def _report(arguments: Arguments, host: str) -> dict[str, Any]:
    # The id is for logs on both sides.  The server drops reports that are older than itself, silently.
    state = {**arguments["agent_state"], "uuid": str(uuid4())}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return {"agent_state": {"agent_state": state}, "time": now}


METHODS: Final[Mapping[str, Method]] = {
    "get_active_networks_info": Method(topic=PLUGIN, version="1.1", arguments=_all_subnets),
    "get_network_info": Method(topic=PLUGIN, version="1.0", arguments=_one_network),
    # Published twice it could make two ports.
    "create_dhcp_port": Method(topic=PLUGIN, version="1.1", arguments=_with_host, again=False),
    "update_dhcp_port": Method(topic=PLUGIN, version="1.1", arguments=_with_host),
    "release_dhcp_port": Method(topic=PLUGIN, version="1.0", arguments=_with_host),
    "dhcp_ready_on_ports": Method(topic=PLUGIN, version="1.5", arguments=_without),
    "report_state": Method(topic=REPORTS, version="1.4", arguments=_report),
}


def context() -> dict[str, Any]:
    """An administrator's context, flattened, with a request id of its own (neutron_lib.context.Context.to_dict)."""
    return {
        "user": None,
        "project_id": None,
        "system_scope": None,
        "project": None,
        "domain": None,
        "user_domain": None,
        "project_domain": None,
        "is_admin": True,
        "read_only": False,
        "show_deleted": False,
        "auth_token": None,
        "request_id": f"req-{uuid4()}",
        "global_request_id": None,
        "resource_uuid": None,
        "roles": ["reader", "admin", "member"],
        "user_identity": "- - - - -",
        "is_admin_project": True,
        "user_id": None,
        "timestamp": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
        "project_name": None,
        "user_name": None,
        "has_global_access": True,
        "can_set_project_id": True,
    }
