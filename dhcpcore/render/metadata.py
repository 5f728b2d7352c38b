"""The metadata proxy of a network: whether there is one, and the haproxy that it is.

haproxy listens on the metadata addresses in the DHCP namespace, adds the network's (or router's) id and forwards to the
metadata agent's socket.  All of it is a function of the network and the settings alone, so that what was started is
found again when it must end (Launchpad 1526084, 1648095, 1753540).
"""

from __future__ import annotations

from typing import Final

from attrs import fields, frozen

from dhcpcore.errors import PayloadError, shown
from dhcpcore.model.checks import check_id
from dhcpcore.model.network import Network
from dhcpcore.model.port import DEVICE_OWNER_DHCP, ROUTER_INTERFACE_OWNERS
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import MetadataProxySpec, Warning
from dhcpcore.render.device import device_name
from dhcpcore.render.framing import DEFAULT_TEMPLATES, Templates
from dhcpcore.render.isolation import METADATA_V4_ADDRESS, METADATA_V6_ADDRESS, has_metadata_subnet, routed_subnets

_PORT: Final = 80


def wants_metadata_proxy(network: Network, settings: Settings) -> bool:
    """Whether the DHCP namespace of a network serves metadata.

    Not where OVN has a metadata port for it; else when forced, or, with isolated metadata enabled, when a DHCP subnet
    has no router or the network is a metadata network.
    """
    if not (settings.force_metadata or settings.enable_isolated_metadata):
        return False
    served = [subnet for subnet in network.all_subnets if subnet.enable_dhcp]
    if not served or any(port.is_ovn_metadata for port in network.ports):
        return False
    if settings.force_metadata:
        return True
    if settings.enable_metadata_network and has_metadata_subnet(network.all_subnets):
        return True
    routed = routed_subnets(network.all_subnets, network.ports)
    return any(subnet.id not in routed for subnet in served)


@frozen
class _Owner:
    """Whose id the proxy adds to requests; the other kind of id is taken off them (Launchpad 1865036)."""

    resource: str
    id: str
    warnings: tuple[Warning, ...] = ()

    @property
    def other_resource(self) -> str:
        return "Network" if self.resource == "Router" else "Router"


def _owner(network: Network, settings: Settings) -> _Owner:
    own = _Owner("Network", network.id)
    if not settings.enable_metadata_network or not has_metadata_subnet(network.all_subnets):
        return own
    ids = sorted({port.device_id for port in network.ports if port.device_owner in ROUTER_INTERFACE_OWNERS})
    if not ids:
        return own
    subject = f"network {network.id}"
    # The smallest, not the server's first: an answer in another order is no reason to start another proxy.
    router_id = next(filter(_is_id, ids), None)
    if router_id is None:
        message = f"its metadata proxy does not serve its router: {shown(ids[0])} is no id"
        return _Owner(own.resource, own.id, (Warning(code="router-id-refused", subject=subject, message=message),))
    if len(ids) == 1:
        return _Owner("Router", router_id)
    message = f"of {len(ids)} routers its metadata proxy serves the one with the smallest id, {router_id}"
    return _Owner("Router", router_id, (Warning(code="router-chosen", subject=subject, message=message),))


def _is_id(router_id: str) -> bool:
    """Whether it may name a file, and stand in a line of haproxy's configuration."""
    try:
        check_id(None, fields(Network).id, router_id)
    except PayloadError:
        return False
    return True


def proxy_id(network: Network, settings: Settings) -> str:
    """The id of a network's proxy: the network's own, or on a metadata network with a router the router's."""
    return _owner(network, settings).id


def metadata_warnings(network: Network, settings: Settings) -> tuple[Warning, ...]:
    """What is served otherwise than the network asks for."""
    return _owner(network, settings).warnings


def metadata_bind_interface(network: Network, settings: Settings) -> str | None:
    """The device on which IPv6 metadata is served: that of our DHCP port, if there is exactly one that is up.

    A link-local address needs a device to be bound to; one is bound only where it was configured (Launchpad 2103417).
    """
    if not any(subnet.ip_version == 6 for subnet in network.subnets):
        return None
    own_device_id = settings.dhcp_device_id(network.id)
    names = [
        device_name(port, settings)
        for port in network.ports
        if port.device_owner == DEVICE_OWNER_DHCP and port.admin_state_up and port.device_id == own_device_id
    ]
    return names[0] if len(names) == 1 else None


@frozen(kw_only=True)
class _RateLimit:
    """Limits of [metadata_rate_limiting] as haproxy takes them; windows in seconds."""

    address_type: str
    base_window: int
    base_limit: int
    burst_window: int
    burst_limit: int

    @property
    def expire(self) -> int:
        return max(self.base_window, self.burst_window)


def _rate_limit(settings: Settings) -> _RateLimit | None:
    limits = settings.metadata_rate_limiting
    # haproxy's stick tables hold addresses of one family: with both asked for there is no limit, as in Neutron.
    if not limits.rate_limit_enabled or len(limits.ip_versions) != 1:
        return None
    return _RateLimit(
        address_type="ipv6" if limits.ip_versions[0] == 6 else "ip",
        base_window=limits.base_window_duration,
        base_limit=limits.base_query_rate_limit,
        burst_window=limits.burst_window_duration,
        burst_limit=limits.burst_query_rate_limit,
    )


def render_metadata_proxy(
    network: Network, *, settings: Settings, bind_interface: str | None, templates: Templates | None = None
) -> MetadataProxySpec:
    """The metadata proxy of a network.

    User and group of haproxy are those of the settings; where they are empty, it stays what it was started as.

    Args:
        bind_interface: the device on which to serve IPv6 as well (see `metadata_bind_interface`); None where its
            metadata address cannot be used, say because duplicate address detection failed.
        templates: the user's own, None for ours.

    Raises:
        SettingsError: a template handed in by the user cannot be rendered.
    """
    owner = _owner(network, settings)
    config_path = f"{settings.proxy_config_dir}/{owner.id}.conf"
    pid_path = f"{settings.external_pids_dir}/{owner.id}.pid.haproxy"
    timeouts = settings.metadata_haproxy
    config = (templates or DEFAULT_TEMPLATES).render(
        "haproxy",
        network_id=network.id,
        proxy_id=owner.id,
        resource=owner.resource,
        other_resource=owner.other_resource,
        address=METADATA_V4_ADDRESS,
        port=_PORT,
        bind_v6=f"bind [{METADATA_V6_ADDRESS}]:{_PORT} interface {bind_interface}" if bind_interface else "",
        socket_path=settings.metadata_socket_path,
        pid_path=pid_path,
        user=settings.metadata_proxy_user,
        group=settings.metadata_proxy_group,
        log_level="debug" if settings.debug else "info",
        rate_limit=_rate_limit(settings),
        timeout_connect=timeouts.timeout_connect,
        timeout_client=timeouts.timeout_client,
        timeout_server=timeouts.timeout_server,
        timeout_http_request=timeouts.timeout_http_request,
        timeout_http_keep_alive=timeouts.timeout_http_keep_alive,
    )
    return MetadataProxySpec(
        proxy_id=owner.id,
        network_id=network.id,
        namespace=network.namespace,
        config=config,
        config_path=config_path,
        pid_path=pid_path,
        argv=("haproxy", "-f", config_path),
        process_tag=f"haproxy-{owner.id}",
        bind_interface=bind_interface,
    )
