"""What the core may be told: notifications of the server, outcomes of actions, and what happened on the host.

Every event carries `at`, monotonic seconds of when it was received; the core never asks for the time itself.
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from dhcpcore.actions import Action, Plan
from dhcpcore.model.capabilities import HostCapabilities
from dhcpcore.model.network import Network, Subnet
from dhcpcore.model.port import FixedIP, Port
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceKey
from dhcpcore.observed import ObservedHost


@frozen(kw_only=True)
class Event:
    """Anything the core may be told."""

    at: float = 0.0


# -- notifications of the server (Neutron: cast to dhcp_agent.<host>) -------------------------------------------------


@frozen(kw_only=True)
class NetworkCreated(Event):
    """network_create_end: this agent shall serve the network."""

    network_id: str


@frozen(kw_only=True)
class NetworkUpdated(Event):
    """network_update_end.

    Attributes:
        subnet_ids: all subnets of the network, None where the payload does not say.
        mtu: bytes, None where the payload does not say.
    """

    network_id: str
    admin_state_up: bool = True
    mtu: int | None = None
    subnet_ids: tuple[str, ...] | None = None


@frozen(kw_only=True)
class NetworkDeleted(Event):
    """network_delete_end: deleted, or taken away from this agent."""

    network_id: str


@frozen(kw_only=True)
class SubnetCreated(Event):
    """subnet_create_end."""

    subnet: Subnet


@frozen(kw_only=True)
class SubnetUpdated(Event):
    """subnet_update_end."""

    subnet: Subnet


@frozen(kw_only=True)
class SubnetDeleted(Event):
    """subnet_delete_end; old servers send no network id."""

    subnet_id: str
    network_id: str | None = None


@frozen(kw_only=True)
class PortCreated(Event):
    """port_create_end."""

    port: Port


@frozen(kw_only=True)
class PortUpdated(Event):
    """port_update_end."""

    port: Port


@frozen(kw_only=True)
class PortDeleted(Event):
    """port_delete_end; old servers send no network id."""

    port_id: str
    network_id: str | None = None
    fixed_ips: tuple[FixedIP, ...] = ()


@frozen(kw_only=True)
class AgentUpdated(Event):
    """agent_updated: an operator changed this agent's admin_state_up."""

    admin_state_up: bool


@frozen(kw_only=True)
class PayloadRefused(Event):
    """A notification that could not be parsed; its network, where known, is fetched anew, otherwise everything.

    Attributes:
        message: the `PayloadError` as text.
        network_id: as far as it could be read.
        understood: whether the method is one of ours, so that something may have been missed.
    """

    message: str
    network_id: str | None = None
    understood: bool = True


# -- wishes -----------------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class ResyncRequested(Event):
    """Fetch one network, or all of them (network_id None).

    Whoever names a network says that it is this agent's: the server answers to anybody who asks for one, so that is not
    told by the answer.
    """

    reason: str
    network_id: str | None = None


@frozen(kw_only=True)
class ServerConnected(Event):
    """The transport is connected, again or for the first time: what the server told before may be lost.

    A call that waited for the first connection is sent on it.
    """


@frozen(kw_only=True)
class DisableForced(Event):
    """An operator lets go of the brake: what it holds now may be disabled."""


@frozen(kw_only=True)
class AgentKnown(Event):
    """The server knows this agent, as was found out otherwise than by a state report: its lists may be believed.

    For who acts once, and reports nothing.
    """


@frozen(kw_only=True)
class SettingsChanged(Event):
    """The settings were read again."""

    settings: Settings


@frozen(kw_only=True)
class CapabilitiesChanged(Event):
    """dnsmasq was replaced, or the interface driver changed."""

    capabilities: HostCapabilities


# -- the host ---------------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class HostObserved(Event):
    """What is on the host, without an `ObserveHost` having asked."""

    observed: ObservedHost


@frozen(kw_only=True)
class ProcessDied(Event):
    """A dnsmasq is gone.

    Attributes:
        pid: of the one that died; a later one of the same instance is not meant.
        exit_code: as waitpid has it, None when it was not our child; detail: its last words.
    """

    key: InstanceKey
    pid: int | None = None
    exit_code: int | None = None
    detail: str = ""


@frozen(kw_only=True)
class ProxyDied(Event):
    """A metadata proxy is gone."""

    network_id: str
    pid: int | None = None
    exit_code: int | None = None
    detail: str = ""


# -- plans and their outcomes -----------------------------------------------------------------------------------------


@frozen(kw_only=True)
class PlanStarted(Event):
    """A plan was handed to those who carry it out; its actions run until their outcome is told."""

    plan: Plan


@frozen(kw_only=True)
class FailedNetwork:
    """One network of a full answer that could not be parsed: it stays as it is and is fetched singly."""

    network_id: str | None
    message: str


@frozen(kw_only=True)
class FetchedNetworks:
    """The answer to `FetchNetworks`."""

    networks: tuple[Network, ...] = ()
    failed: tuple[FailedNetwork, ...] = ()


@frozen(kw_only=True)
class InstanceStarted:
    """The answer to `EnableInstance` and `RestartInstance`.

    Attributes:
        pid: of the dnsmasq that serves now, where known.
    """

    pid: int | None = None


@frozen(kw_only=True)
class ProxyStarted:
    """The answer to `StartProxy`.

    Attributes:
        pid: of the haproxy that serves now, where known.
        dadfailed: none was started, nor was one stopped: the IPv6 metadata address that it was to bind failed duplicate
            address detection, as another agent has it.
    """

    pid: int | None = None
    dadfailed: bool = False


@frozen(kw_only=True)
class LeasesLeft:
    """The answer to a `ReloadInstance` that dnsmasq has loaded, or a `ReleaseLeases`, that left leases of nobody.

    Attributes:
        reason: why they could not be released.
        addresses: of these leases: whoever has one of them now is not served yet. Empty: not known.
    """

    reason: str
    addresses: frozenset[str] = frozenset()


Result = Network | Port | FetchedNetworks | InstanceStarted | LeasesLeft | ProxyStarted | ObservedHost | str | None

#: What kind of fault an action met, where the difference matters.
Fault = Literal[
    "error",  # anything else
    "timeout",  # nobody answered in time; the outcome is not known
    "unreachable",  # nobody was asked, or the connection was lost; the outcome may not be known
    "network_not_found",  # the server does not know the network, or this agent does not host it
    "address_exhausted",  # no address left on a subnet (IpAddressGenerationFailure)
    "unsupported",  # the server has no such method
    "skipped",  # an earlier action of the same plan and network failed
]


@frozen(kw_only=True)
class ActionSucceeded(Event):
    """An action was carried out.

    Attributes:
        jitter: from 0 to 1, drawn by the adapter: spreads what is done again from time to time.
        seconds: how long it took from its first call on; None where nobody measured.
    """

    action: Action
    result: Result = None
    jitter: float = 0.0
    seconds: float | None = None


@frozen(kw_only=True)
class ActionFailed(Event):
    """An action could not be carried out, wholly or in part.

    Attributes:
        reason: one short line; never an exception object (Launchpad 1969270).
        retryable: False where only news about the network can help.
        jitter: from 0 to 1, drawn by the adapter: spreads retries.
    """

    action: Action
    reason: str
    fault: Fault = "error"
    retryable: bool = True
    jitter: float = 0.0
