"""Every option that neutron-dhcp-agent 29 knows, and what becomes of it here.

Knows names and words; reads nothing.  docs/neutron-options.md is the same table for people.  An option that is set and
not honoured as it is written is named once when the agent starts, with the words of this table.  Most of what stands in
a ``neutron.conf`` is the server's: the stock agent reads it and does nothing with it, and nothing is said of it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

from attrs import frozen

from dhcpcore import Settings

Kind = Literal["honoured", "differently", "not", "unused"]


@frozen
class Stance:
    """What becomes of an option.

    Attributes:
        kind: ``honoured``; ``differently``: what it is for is done in another way; ``not``: it has no effect, though it
            has one on the stock agent; ``unused``: it has none on either.
        words: what happens, or what happens instead.
    """

    kind: Kind
    words: str


_LOG: Final = "the log goes to stderr, for what runs the agent to keep; --log-format and --log-level shape it"
_HELPER: Final = "no helper is called: the agent needs its privileges itself"
_SERVER: Final = "the server's, or another agent's: the stock DHCP agent does nothing with it"
_LIBRARY: Final = "oslo.messaging's own: honoured by it, with the transport oslo"
_LOGGING: Final = """
    default_log_levels instance_*format log_color log_config* log_date_format log_dir log_file log_rotat* logdir logfile
    logging_* max_logfile_* publish_errors rate_limit_* syslog_log_facility use_journal use_json use_stderr use_syslog
"""
_OVSDB: Final = "ovsdb_connection with unix: or tcp: is the way to Open vSwitch"

#: Patterns of ``group.option`` in order: the first that fits counts.
_STANCES: Final[tuple[tuple[str, Stance], ...]] = (
    (
        "DEFAULT.resync_interval",
        Stance("differently", "what failed is tried again after retry_interval_initial to retry_interval_max seconds"),
    ),
    (
        "DEFAULT.dhcp_driver",
        Stance("differently", "dhcpcore runs dnsmasq itself; the name only goes into state reports"),
    ),
    ("AGENT.check_child_processes_interval", Stance("differently", "the death of a process is noticed at once")),
    ("AGENT.kill_scripts_path", Stance("not", "processes are stopped by signals, without scripts")),
    ("AGENT.*root_helper*", Stance("not", _HELPER)),
    ("AGENT.use_helper_for_ns_read", Stance("not", _HELPER)),
    ("AGENT.*_iptables_rules", Stance("not", "no iptables rule is made: the kernel completes UDP checksums itself")),
    ("DEFAULT.executor_thread_pool_size", Stance("differently", "one thread takes notifications, in their order")),
    ("DEFAULT.rpc_thread_pool_size", Stance("differently", "one thread takes notifications, in their order")),
    ("DEFAULT.rpc_ping_enabled", Stance("not", "the agent answers no oslo_rpc_server_ping; dhcpcore status tells")),
    ("DEFAULT.graceful_shutdown_timeout", Stance("differently", "SIGTERM ends the agent within two seconds")),
    ("DEFAULT.log_options", Stance("not", "options are not logged; dhcpcore status tells of the agent")),
    ("DEFAULT.periodic_*", Stance("not", "there are no periodic tasks, but what is due when it is due")),
    (
        "DEFAULT.backdoor_*",
        Stance("not", "there is no backdoor; dhcpcore status and dhcpcore explain tell of the agent"),
    ),
    ("DEFAULT.setproctitle", Stance("not", "the process keeps its name")),
    ("DEFAULT.config_file", Stance("honoured", "as --config-file")),
    ("DEFAULT.config_dir", Stance("honoured", "as --config-dir")),
    ("DEFAULT.config_source", Stance("not", "options are read from files and directories only")),
    *((f"DEFAULT.{name}", Stance("differently", _LOG)) for name in _LOGGING.split()),
    (
        "DEFAULT.interface_driver",
        Stance(
            "honoured", "openvswitch, linuxbridge and the class paths of Neutron's drivers are dhcpcore's own drivers"
        ),
    ),
    ("DEFAULT.transport_url", Stance("honoured", _LIBRARY)),
    ("DEFAULT.control_exchange", Stance("honoured", _LIBRARY)),
    ("DEFAULT.rpc_response_timeout", Stance("honoured", "with the transport oslo: seconds for an answer, at first")),
    (
        "DEFAULT.rpc_response_max_timeout",
        Stance("honoured", "with the transport oslo: to so many seconds that grows, doubled by each answer missed"),
    ),
    ("oslo_messaging_rabbit.*", Stance("honoured", _LIBRARY)),
    ("oslo_messaging_metrics.*", Stance("honoured", _LIBRARY)),
    ("oslo_messaging_tracing.*", Stance("honoured", _LIBRARY)),
    ("OVS.ovsdb_connection", Stance("honoured", "the driver openvswitch; not set: unix:/run/openvswitch/db.sock")),
    ("OVS.ovsdb_timeout", Stance("honoured", "the driver openvswitch")),
    ("OVS.datapath_type", Stance("differently", "UDP checksums are completed by the kernel, whatever the datapath")),
    ("OVS.ssl_*", Stance("not", _OVSDB)),
    ("OVS.ovsdb_debug", Stance("not", "what is said to Open vSwitch is not logged")),
    ("oslo_concurrency.*", Stance("differently", "lock_file in [dhcpcore] is the agent's one lock")),
    ("oslo_reports.*", Stance("differently", "dhcpcore status and dhcpcore explain tell what a report would")),
    ("privsep*.*", Stance("not", _HELPER)),
    ("profiler*.*", Stance("not", "calls are not traced by osprofiler")),
)


#: Of what neutron-dhcp-agent 29 registers, the groups and options that its own code does nothing with.
_UNUSED: Final = """
    AGENT.use_random_fully
    DEFAULT.agent_down_time DEFAULT.allow_bulk DEFAULT.api_* DEFAULT.auth_strategy DEFAULT.base_mac
    DEFAULT.client_socket_timeout DEFAULT.core_plugin DEFAULT.default_availability_zones
    DEFAULT.dhcp_agent_notification DEFAULT.dhcp_load_type DEFAULT.enable_new_agents DEFAULT.enable_traditional_dhcp
    DEFAULT.external_dns_driver DEFAULT.filter_validation DEFAULT.global_physnet_mtu DEFAULT.http_retries
    DEFAULT.ipam_driver DEFAULT.ipv6_pd_enabled DEFAULT.max_dns_nameservers DEFAULT.max_header_line
    DEFAULT.max_subnet_host_routes DEFAULT.my_ip* DEFAULT.network_link_prefix DEFAULT.notify_nova_*
    DEFAULT.pagination_max_limit DEFAULT.rpc_resources_processing_step DEFAULT.rpc_state_report_workers
    DEFAULT.rpc_workers DEFAULT.send_events_interval DEFAULT.service_plugins DEFAULT.shell_completion
    DEFAULT.tcp_keepidle DEFAULT.vlan_* DEFAULT.wsgi_*
    OVS.* QUOTAS.* cli_script.* ironic.* nova.* oslo_messaging_notifications.* oslo_middleware.* oslo_policy.*
    oslo_versionedobjects.* placement.* service_providers.*
"""


def _registered() -> dict[str, Any]:
    found: dict[str, Any] = {"OVS.integration_bridge": Settings().ovs_integration_bridge}
    for name, value in Settings().to_mapping().items():
        members = value if isinstance(value, dict) else {name: value}
        group = name if isinstance(value, dict) else "DEFAULT"
        found |= {f"{group}.{member}": inner for member, inner in members.items()}
    return found


#: Options that the settings have, by ``group.option``, with their defaults.
REGISTERED: Final[Mapping[str, Any]] = _registered()


def stance_of(name: str) -> Stance | None:
    """What becomes of an option; None for one that neutron-dhcp-agent does not know.

    Args:
        name: ``group.option``; of the groups DEFAULT and AGENT the option alone will do.
    """
    full = name if "." in name else f"AGENT.{name}" if f"AGENT.{name}" in REGISTERED else f"DEFAULT.{name}"
    for pattern, stance in _STANCES:
        if fnmatchcase(full, pattern):
            return stance
    if full in REGISTERED:
        return Stance("honoured", "")
    if any(fnmatchcase(full, pattern) for pattern in _UNUSED.split()):
        return Stance("unused", _SERVER)
    return None
