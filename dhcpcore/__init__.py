"""A DHCP configuration engine as a pure library: fold events into a state, plan what to do, render every file.

The two verbs are `fold_event` and `plan_sync`; between them stands the shell that carries plans out::

    state = fold_event(event, state)      # what we were told, or what happened
    plan = plan_sync(state, now)          # what to do about it, and why

Nothing here does I/O, reads a clock, logs, or draws random numbers.
"""

from __future__ import annotations

from dhcpcore.actions import Action, Plan
from dhcpcore.errors import AdapterError, DhcpCoreError, PayloadError, SettingsError, UnsafePlanError
from dhcpcore.events import ActionFailed, ActionSucceeded, Event, PlanStarted
from dhcpcore.explain import describe_action, describe_event, event_networks, explain_network
from dhcpcore.model.capabilities import DnsmasqCapabilities, HostCapabilities
from dhcpcore.model.lease import Lease
from dhcpcore.model.network import HostRoute, Network, Segment, Subnet
from dhcpcore.model.port import DnsAssignment, ExtraDhcpOption, FixedIP, Port
from dhcpcore.model.settings import Settings, option_name
from dhcpcore.model.spec import DeviceSpec, InstanceKey, InstanceSpec, InstanceView, MetadataProxySpec, Warning
from dhcpcore.observed import ObservedProcess
from dhcpcore.plan import next_due, plan_sync
from dhcpcore.plan.assume import assume_served, plan_difference
from dhcpcore.plan.assume_host import AssumedHost, settings_of_host
from dhcpcore.plan.encode import plan_to_json
from dhcpcore.plan.foresee import list_convergence, restrict_plan
from dhcpcore.plan.listing import Listing, list_plans
from dhcpcore.plan.render_request import (
    RenderedInstance,
    RenderedNetwork,
    answer_render_request,
    render_network,
    render_refusal,
)
from dhcpcore.render.device import render_device
from dhcpcore.render.files import render_files
from dhcpcore.render.framing import Templates
from dhcpcore.render.instance import render_instance
from dhcpcore.render.leases import render_initial_leases
from dhcpcore.render.metadata import render_metadata_proxy, wants_metadata_proxy
from dhcpcore.render.readback import parse_command_line, parse_leases, stale_leases
from dhcpcore.render.views import instance_views
from dhcpcore.state import AgentState, fold_event, fold_events, initial_state
from dhcpcore.state.deaths import is_unexpected as is_unexpected_death
from dhcpcore.status import describe_state
from dhcpcore.wire import network_to_wire, parse_event, parse_network, parse_networks

__all__ = [
    "Action",
    "ActionFailed",
    "ActionSucceeded",
    "AdapterError",
    "AgentState",
    "AssumedHost",
    "DeviceSpec",
    "DhcpCoreError",
    "DnsAssignment",
    "DnsmasqCapabilities",
    "Event",
    "ExtraDhcpOption",
    "FixedIP",
    "HostCapabilities",
    "HostRoute",
    "InstanceKey",
    "InstanceSpec",
    "InstanceView",
    "Lease",
    "Listing",
    "MetadataProxySpec",
    "Network",
    "ObservedProcess",
    "PayloadError",
    "Plan",
    "PlanStarted",
    "Port",
    "RenderedInstance",
    "RenderedNetwork",
    "Segment",
    "Settings",
    "SettingsError",
    "Subnet",
    "Templates",
    "UnsafePlanError",
    "Warning",
    "answer_render_request",
    "assume_served",
    "describe_action",
    "describe_event",
    "describe_state",
    "event_networks",
    "explain_network",
    "fold_event",
    "fold_events",
    "initial_state",
    "instance_views",
    "is_unexpected_death",
    "list_convergence",
    "list_plans",
    "network_to_wire",
    "next_due",
    "option_name",
    "parse_command_line",
    "parse_event",
    "parse_leases",
    "parse_network",
    "parse_networks",
    "plan_difference",
    "plan_sync",
    "plan_to_json",
    "render_device",
    "render_files",
    "render_initial_leases",
    "render_instance",
    "render_metadata_proxy",
    "render_network",
    "render_refusal",
    "restrict_plan",
    "settings_of_host",
    "stale_leases",
    "wants_metadata_proxy",
]
