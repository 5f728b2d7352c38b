"""The options: Neutron's DHCP agent's under their own names, defaults and units, and a few of our own.

Knows what each option may be, and what plainly follows from several of them (directories, device names, device ids).
Does not know where options come from: adapters read files and pass a mapping, or build `Settings` themselves.
Seconds everywhere.  docs/settings.md is the table for people.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from uuid import NAMESPACE_DNS, uuid5

from attrs import Factory, field, fields, frozen

from dhcpcore.errors import SettingsError, shown
from dhcpcore.model.option_types import (
    Account,
    Choice,
    Group,
    IpVersion,
    ListOf,
    Number,
    OptionalText,
    OptionType,
    Switch,
    Text,
    Whole,
    is_dns_server,
    is_domain_name,
    is_haproxy_word,
    is_txt_record,
)

_RATE: Final = {"group": "metadata_rate_limiting."}
_HAPROXY: Final = {"group": "metadata_haproxy."}
_PATH: Final = Text(empty=False, longest=4000, words="a path without control characters")
# These stand in the metadata proxy's configuration.
_PROXY_PATH: Final = Text(
    empty=False, longest=4000, check=is_haproxy_word, words="a path without blanks, quotes, backslashes and #"
)


@frozen(kw_only=True)
class MetadataRateLimiting:
    """Group [metadata_rate_limiting]: windows in seconds, limits in queries per window."""

    rate_limit_enabled: bool = field(default=False, validator=Switch(), metadata=_RATE)
    ip_versions: tuple[int, ...] = field(default=(4,), validator=ListOf(IpVersion(), longest=2), metadata=_RATE)
    base_window_duration: int = field(default=10, validator=Whole(1), metadata=_RATE)
    base_query_rate_limit: int = field(default=10, validator=Whole(1), metadata=_RATE)
    burst_window_duration: int = field(default=10, validator=Whole(1), metadata=_RATE)
    burst_query_rate_limit: int = field(default=10, validator=Whole(1), metadata=_RATE)


@frozen(kw_only=True)
class MetadataHaproxy:
    """Group [metadata_haproxy]: timeouts of the metadata proxy, in seconds."""

    timeout_connect: int = field(default=30, validator=Whole(1), metadata=_HAPROXY)
    timeout_client: int = field(default=32, validator=Whole(1), metadata=_HAPROXY)
    timeout_server: int = field(default=32, validator=Whole(1), metadata=_HAPROXY)
    timeout_http_request: int = field(default=30, validator=Whole(1), metadata=_HAPROXY)
    timeout_http_keep_alive: int = field(default=30, validator=Whole(1), metadata=_HAPROXY)


@frozen(kw_only=True)
class Settings:
    """All options.  Texts are kept as written; in paths ``$state_path`` and ``${state_path}`` stand for that option.

    Raises:
        SettingsError: an option is not what it must be, by itself or beside another.
    """

    # -- [DEFAULT], where the agent is and what it keeps where
    host: str = field(default="localhost", validator=Text(empty=False, longest=255))
    state_path: str = field(default="/var/lib/neutron", validator=_PROXY_PATH)
    debug: bool = field(default=False, validator=Switch())
    # -- [DEFAULT], the agent
    resync_interval: int = field(default=5, validator=Whole(1))
    resync_throttle: int = field(default=1, validator=Whole(0))
    dhcp_driver: str = field(default="neutron.agent.linux.dhcp.Dnsmasq", validator=Text())
    enable_isolated_metadata: bool = field(default=False, validator=Switch())
    force_metadata: bool = field(default=False, validator=Switch())
    enable_metadata_network: bool = field(default=False, validator=Switch())
    num_sync_threads: int = field(default=4, validator=Whole(1))
    bulk_reload_interval: int = field(default=0, validator=Whole(0))
    # -- [DEFAULT], dnsmasq
    dhcp_confs: str = field(default="$state_path/dhcp", validator=_PATH)
    dnsmasq_config_file: str = field(default="", validator=Text())
    dnsmasq_dns_servers: tuple[str, ...] = field(
        default=(),
        validator=ListOf(Text(check=is_dns_server, words="a DNS server like 10.0.0.53 or /example.org/fd00::53#5353")),
    )
    dnsmasq_base_log_dir: str | None = field(default=None, validator=OptionalText())
    dnsmasq_local_resolv: bool = field(default=False, validator=Switch())
    dnsmasq_lease_max: int = field(default=1 << 24, validator=Whole(1))
    dhcp_broadcast_reply: bool = field(default=False, validator=Switch())
    dnsmasq_enable_addr6_list: bool = field(default=False, validator=Switch())
    dnsmasq_txt_record: str = field(
        default="", validator=Text(check=is_txt_record, words="a TXT record <name>[[,<text>],<text>]")
    )
    dhcp_renewal_time: int = field(default=0, validator=Whole(0))
    dhcp_rebinding_time: int = field(default=0, validator=Whole(0))
    dhcp_lease_duration: int = field(default=86400, validator=Whole(-1))
    dns_domain: str = field(
        default="openstacklocal",
        validator=Text(check=is_domain_name, words='a domain name of at most 253 bytes, no blank, none of ,:"\\#'),
    )
    # -- [DEFAULT], devices
    interface_driver: str = field(default="openvswitch", validator=Text())
    ovs_integration_bridge: str = field(default="br-int", validator=Text(empty=False, longest=255))
    ovs_use_veth: bool = field(default=False, validator=Switch())
    # -- [DEFAULT], the metadata proxy
    metadata_proxy_socket: str = field(default="$state_path/metadata_proxy", validator=_PROXY_PATH)
    metadata_proxy_user: str = field(default="", validator=Account(longest=255))
    metadata_proxy_group: str = field(default="", validator=Account(longest=255))
    external_pids: str = field(default="$state_path/external/pids", validator=_PROXY_PATH)
    # -- [DEFAULT], messages; the address may hold a password, so it is not shown
    rpc_response_max_timeout: int = field(default=600, validator=Whole(1))
    transport_url: str = field(default="rabbit://", validator=Text(), repr=False)
    control_exchange: str = field(default="neutron", validator=Text(empty=False, longest=255))
    # -- [AGENT]
    report_interval: float = field(default=30, validator=Number(0))
    log_agent_heartbeats: bool = field(default=False, validator=Switch())
    availability_zone: str = field(default="nova", validator=Text(longest=255))
    root_helper: str = field(default="sudo", validator=Text())
    root_helper_daemon: str | None = field(default=None, validator=OptionalText())
    use_helper_for_ns_read: bool = field(default=True, validator=Switch())
    check_child_processes_interval: int = field(default=60, validator=Whole(0))
    check_child_processes_action: str = field(default="respawn", validator=Choice(("respawn", "exit")))
    kill_scripts_path: str | None = field(default="/etc/neutron/kill_scripts/", validator=OptionalText())
    # -- groups of their own
    metadata_rate_limiting: MetadataRateLimiting = field(
        default=Factory(MetadataRateLimiting), validator=Group(MetadataRateLimiting)
    )
    metadata_haproxy: MetadataHaproxy = field(default=Factory(MetadataHaproxy), validator=Group(MetadataHaproxy))
    # -- ours
    unsafe_disable_hold: float = field(default=300, validator=Number(0))
    unsafe_disable_percent: float = field(default=30, validator=Number(0, 100))
    unsafe_disable_minimum: int = field(default=10, validator=Whole(1))
    retry_interval_initial: float = field(default=1, validator=Number(0.001))
    retry_interval_max: float = field(default=60, validator=Number(0.001))
    tombstone_age: float = field(default=86400, validator=Number(0))
    ready_ports_batch: int = field(default=64, validator=Whole(1, 64))
    reload_method: str = field(default="auto", validator=Choice(("auto", "sighup", "restart")))
    audit_interval: float = field(default=300, validator=Number(1))

    def __attrs_post_init__(self) -> None:
        if self.resync_throttle > self.resync_interval:
            expected = f"at most resync_interval ({self.resync_interval})"
            raise SettingsError("resync_throttle", expected, shown(self.resync_throttle))
        if self.retry_interval_max < self.retry_interval_initial:
            expected = f"at least retry_interval_initial ({self.retry_interval_initial})"
            raise SettingsError("retry_interval_max", expected, shown(self.retry_interval_max))
        for name in ("state_path", "dhcp_confs", "external_pids", "metadata_proxy_socket"):
            # A relative path would depend on the working directory, which the core cannot know.
            if not self.expanded(getattr(self, name)).startswith("/"):
                raise SettingsError(name, "an absolute path", shown(getattr(self, name)))

    # -- what follows from them

    def expanded(self, text: str) -> str:
        """`text` with ``$state_path`` and ``${state_path}`` replaced, as oslo.config does it."""
        return _expanded(text, self.state_path)

    @property
    def confs_dir(self) -> str:
        """Absolute, normalised directory of all instances' directories."""
        return _directory(self.dhcp_confs, self.state_path)

    @property
    def proxy_config_dir(self) -> str:
        """Directory of the metadata proxies' configuration files; not normalised, as it is on their command lines."""
        return posixpath.join(self.state_path, "ns-metadata-proxy")

    @property
    def external_pids_dir(self) -> str:
        """Absolute, normalised directory of the metadata proxies' pid files."""
        return _directory(self.external_pids, self.state_path)

    @property
    def metadata_socket_path(self) -> str:
        """The unix socket of the metadata agent, as the proxies' configuration names it."""
        return self.expanded(self.metadata_proxy_socket)

    @property
    def dnsmasq_log_dir(self) -> str | None:
        """Directory of the directories of dnsmasq's logs, None where dnsmasq does not log to files."""
        return self.expanded(self.dnsmasq_base_log_dir) if self.dnsmasq_base_log_dir else None

    @property
    def dnsmasq_config_path(self) -> str:
        """What ``--conf-file`` names; where the operator has none, /dev/null keeps dnsmasq from /etc/dnsmasq.conf."""
        return self.expanded(self.dnsmasq_config_file).strip() or "/dev/null"

    @property
    def device_prefix(self) -> str:
        """What the name of a DHCP port's device begins with: ``ns-`` for one end of a veth pair, else ``tap``."""
        return _device_prefix(self.interface_driver, self.ovs_use_veth)

    def dhcp_device_id(self, network_id: str, segmentation_id: int | str | None = None) -> str:
        """device_id of this host's DHCP port (neutron.common.utils.get_dhcp_agent_device_id).

        The host's domain does not count; without a segmentation id (or with 0) there is no suffix.
        """
        device_id = f"dhcp{_host_uuid(self.host)}-{network_id}"
        return f"{device_id}-{segmentation_id}" if segmentation_id else device_id

    # -- from and to mappings

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Settings:
        """Like `settings_from_mapping`, for callers who do not care about unknown options."""
        return settings_from_mapping(mapping)[0]

    def to_mapping(self) -> dict[str, Any]:
        """All options as JSON types; groups as dicts; `from_mapping` reads it back."""
        flat: dict[str, Any] = {}
        for name, value in _members(self):
            if name in _AGENT:
                flat.setdefault("AGENT", {})[name] = value
            else:
                flat[name] = dict(_members(value)) if name in _NESTED else value
        return flat


_STATE_PATH: Final = re.compile(r"\$(?:state_path\b|\{state_path\})")
_AGENT: Final = frozenset(
    {
        "report_interval",
        "log_agent_heartbeats",
        "availability_zone",
        "root_helper",
        "root_helper_daemon",
        "use_helper_for_ns_read",
        "check_child_processes_interval",
        "check_child_processes_action",
        "kill_scripts_path",
    }
)
_NESTED: Final[dict[str, type]] = {
    "metadata_rate_limiting": MetadataRateLimiting,
    "metadata_haproxy": MetadataHaproxy,
}


def _types(model: type) -> dict[str, OptionType]:
    return {attribute.name: attribute.validator for attribute in fields(model)}


_FLAT: Final = {name: kind for name, kind in _types(Settings).items() if name not in _NESTED}
#: Every spelling of an option: where it goes (group or "", name) and how it is read.
_OPTIONS: Final[dict[str, tuple[str, str, OptionType]]] = {
    **{f"{prefix}{name}": ("", name, kind) for name, kind in _FLAT.items() for prefix in ("", "DEFAULT.")},
    **{f"AGENT.{name}": ("", name, _FLAT[name]) for name in _AGENT},
    # Where Neutron 29 keeps what used to be ovs_integration_bridge.
    "OVS.integration_bridge": ("", "ovs_integration_bridge", _FLAT["ovs_integration_bridge"]),
    **{
        f"{prefix}{name}": (group, name, kind)
        for group, model in _NESTED.items()
        for name, kind in _types(model).items()
        for prefix in (f"{group}.", "", "DEFAULT.")
    },
}
_GROUPS: Final = frozenset({"DEFAULT", "AGENT", "OVS", *_NESTED})


def option_name(spelling: str) -> str | None:
    """The one name of an option, as errors and docs/settings.md have it, None for what is no option of ours.

    Args:
        spelling: flat, or with a group and a dot: ``report_interval`` and ``AGENT.report_interval`` are the same.
    """
    if spelling not in _OPTIONS:
        return None
    group, name, _ = _OPTIONS[spelling]
    return f"{group}.{name}" if group else name


def settings_from_mapping(mapping: Mapping[str, Any]) -> tuple[Settings, tuple[str, ...]]:
    """Settings from Neutron's option names, and the names that are not known, sorted.

    Names may stand flat, in groups (``{"AGENT": {"report_interval": 10}}``; groups DEFAULT, AGENT, OVS,
    metadata_rate_limiting, metadata_haproxy) or with a dot (``AGENT.report_interval``).  Values are JSON types or the
    text of an ini file.  What is absent has its default.  Unknown options are no error: one file serves many programs.

    Raises:
        SettingsError: a known option has a value that it cannot have, or stands there twice.
    """
    if not isinstance(mapping, Mapping):
        raise SettingsError("settings", "a mapping of options", shown(mapping))
    found: dict[str, dict[str, Any]] = {"": {}, **{group: {} for group in _NESTED}}
    unknown: list[str] = []
    for name, raw in _spelled_out(mapping):
        if name not in _OPTIONS:
            unknown.append(name)
            continue
        group, option, kind = _OPTIONS[name]
        full = f"{group}.{option}" if group else option
        if option in found[group]:
            raise SettingsError(full, "one value", "two, under different spellings")
        found[group][option] = kind.read(full, raw)
    flat = found.pop("")
    groups = {name: _NESTED[name](**options) for name, options in found.items()}
    return Settings(**flat, **groups), tuple(sorted(unknown))


def _spelled_out(mapping: Mapping[str, Any]) -> list[tuple[str, Any]]:
    spelled: list[tuple[str, Any]] = []
    for key, value in mapping.items():
        name = key if type(key) is str else shown(key)
        if name in _GROUPS and not isinstance(value, Mapping):
            raise SettingsError(name, "a mapping of options", shown(value))
        if isinstance(value, Mapping) and name not in _OPTIONS:
            spelled.extend((f"{name}.{member}", inner) for member, inner in value.items())
        else:
            spelled.append((name, value))
    return spelled


def _members(model: Any) -> list[tuple[str, Any]]:
    members = [(attribute.name, getattr(model, attribute.name)) for attribute in fields(type(model))]
    return [(name, list(value) if type(value) is tuple else value) for name, value in members]


# The same few texts are asked for with every plan.
@lru_cache(maxsize=64)
def _expanded(text: str, state_path: str) -> str:
    return _STATE_PATH.sub(lambda _: state_path, text)


@lru_cache(maxsize=64)
def _directory(text: str, state_path: str) -> str:
    return posixpath.normpath(_expanded(text, state_path))


@lru_cache(maxsize=64)
def _device_prefix(interface_driver: str, ovs_use_veth: bool) -> str:
    driver = re.split(r"[.:]", interface_driver)[-1].lower()
    if driver.startswith(("bridge", "linuxbridge")):
        return "ns-"
    return "ns-" if ovs_use_veth and not driver.startswith("null") else "tap"


@lru_cache(maxsize=8)
def _host_uuid(host: str) -> str:
    return str(uuid5(NAMESPACE_DNS, host.split(".")[0]))
