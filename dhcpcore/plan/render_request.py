"""One question, one answer: everything that would run for a network, from plain JSON types and back to them.

Knows the shapes of the question and of the answer, and what is assumed where the question is silent.  What surrounds
them (lines, files, terminals) is the business of adapters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from attrs import evolve, frozen

from dhcpcore.errors import PayloadError, SettingsError, shown
from dhcpcore.model.capabilities import DnsmasqCapabilities, HostCapabilities
from dhcpcore.model.checks import parse_cidr
from dhcpcore.model.network import Network
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceKey, InstanceView, MetadataProxySpec, Warning
from dhcpcore.plan.dhcp_port import choose_dhcp_port
from dhcpcore.render.argv import CommandLine, beside_others
from dhcpcore.render.device import render_device
from dhcpcore.render.files import render_files
from dhcpcore.render.leases import render_initial_leases
from dhcpcore.render.metadata import (
    metadata_bind_interface,
    metadata_warnings,
    render_metadata_proxy,
    wants_metadata_proxy,
)
from dhcpcore.render.views import instance_views, segment_view, segment_warnings, serves_dhcp
from dhcpcore.wire import parse_network, parse_segment

Value = TypeVar("Value")

#: The device where the question names none and the network has no DHCP port of the host.
DEFAULT_INTERFACE: Final = "tap0"


@frozen(kw_only=True)
class RenderedInstance:
    """The texts of one dnsmasq instance, the leases file it starts with among them."""

    key: InstanceKey
    host: str
    addn_hosts: str
    opts: str
    leases: str
    argv: tuple[str, ...]
    warnings: tuple[Warning, ...] = ()


@frozen(kw_only=True)
class RenderedNetwork:
    """Everything that one host runs for a network; `proxy` None where it needs no metadata proxy."""

    instances: tuple[RenderedInstance, ...]
    proxy: MetadataProxySpec | None
    warnings: tuple[Warning, ...] = ()


def render_network(
    network: Network,
    settings: Settings,
    capabilities: HostCapabilities | None = None,
    *,
    interface_name: str | None = None,
    interface_addresses: Sequence[str] | None = None,
    previous_leases: str | None = None,
) -> RenderedNetwork:
    """All instances of a network, and its metadata proxy.

    Args:
        interface_name: the DHCP device; None for that of the network's DHCP port of `Settings.host`, or else ``tap0``.
        interface_addresses: its addresses in CIDR notation; None for those that the same port gives it, or else none.
        previous_leases: text of the leases file that is replaced.

    Raises:
        PayloadError: the interface's name or one of its addresses is none.
    """
    host = capabilities or HostCapabilities()
    asked = {"interface_name": interface_name, "interface_addresses": interface_addresses}
    interface_name, interface_addresses = _interface_name(asked), _interface_addresses(asked)
    instances = []
    views = instance_views(network)
    shared = sum(map(serves_dhcp, views)) > 1
    for view in views:
        device = _device(view, settings, host, interface_name, interface_addresses)
        instance = _instance(view, settings, host, device, previous_leases, shared=shared and serves_dhcp(view))
        instances.append(evolve(instance, warnings=segment_warnings(view) + instance.warnings))
    wanted = wants_metadata_proxy(network, settings)
    proxy = _proxy(network, settings, host, dad_failed=False) if wanted else None
    warnings = metadata_warnings(network, settings) if wanted else ()
    return RenderedNetwork(instances=tuple(instances), proxy=proxy, warnings=warnings)


def answer_render_request(request: Any) -> dict[str, Any]:
    """The answer to one request, both in JSON types; for a request that cannot be answered see `render_refusal`.

    The request is an object.  ``network`` is a network in wire form; all other members may be absent or null:
    ``settings`` (Neutron's option names), ``interface_name``, ``interface_addresses``, ``segment`` (wire form),
    ``bridged`` (true), ``previous_leases`` (text), ``host_tag_support`` (true: dnsmasq knows ``tag:`` in hosts files),
    ``ipv6_enabled`` (true), ``metadata_dad_failed`` (false), ``namespace_shared`` (false: whether other segments of the
    network are served on the same host, see docs/differences.md).  Members of other names are ignored.

    The answer has the texts ``host``, ``addn_hosts``, ``opts`` and ``leases``, the list ``argv``, ``metadata_proxy``
    (whether there is one), ``metadata_proxy_config`` and ``metadata_proxy_argv`` where there is, and ``warnings``: a
    list of objects with ``code``, ``subject`` and ``message``.

    Raises:
        PayloadError: the request, or something in it, is not what it must be; the path starts at the request's members.
        SettingsError: an option is not.
    """
    if not isinstance(request, Mapping):
        raise PayloadError("", "an object", shown(request))
    if "network" not in request:
        raise PayloadError("network", "a network in wire form", "nothing")
    network = _under("network", parse_network, request["network"])
    settings = _settings(request.get("settings"))
    host = HostCapabilities(
        dnsmasq=DnsmasqCapabilities(host_tags=_switch(request, "host_tag_support", True)),
        ipv6_enabled=_switch(request, "ipv6_enabled", True),
        bridged=_switch(request, "bridged", True),
    )
    dad_failed = _switch(request, "metadata_dad_failed", False)
    segment = request.get("segment")
    view = segment_view(network, None if segment is None else _under("segment", parse_segment, segment))
    previous = request.get("previous_leases")
    if previous is not None and type(previous) is not str:
        raise PayloadError("previous_leases", "a string or null", shown(previous))
    device = _device(view, settings, host, _interface_name(request), _interface_addresses(request))
    shared = _switch(request, "namespace_shared", False)
    texts = _instance(view, settings, host, device, previous, shared=shared)
    if view.subnets != network.subnets:
        network = evolve(network, subnets=view.subnets)
    answer: dict[str, Any] = {
        "host": texts.host,
        "addn_hosts": texts.addn_hosts,
        "opts": texts.opts,
        "leases": texts.leases,
        "argv": list(texts.argv),
        "metadata_proxy": wants_metadata_proxy(network, settings),
    }
    warnings = texts.warnings
    if answer["metadata_proxy"]:
        proxy = _proxy(network, settings, host, dad_failed=dad_failed)
        answer["metadata_proxy_config"] = proxy.config
        answer["metadata_proxy_argv"] = list(proxy.argv)
        warnings += metadata_warnings(network, settings)
    answer["warnings"] = [warning_to_json(warning) for warning in warnings]
    return answer


def render_refusal(error: PayloadError | SettingsError) -> dict[str, Any]:
    """The answer to a request that cannot be answered: ``{"error": {"type", "path", "message"}}``."""
    path = error.path if isinstance(error, PayloadError) else f"settings.{error.option}"
    message = f"expected {error.expected}, got {error.got}"
    return {"error": {"type": type(error).__name__, "path": path, "message": message}}


def warning_to_json(warning: Warning) -> dict[str, str]:
    """A warning in JSON types."""
    return {"code": warning.code, "subject": warning.subject, "message": warning.message}


# -- what is asked


def _under(name: str, parse: Callable[[Any], Value], value: Any) -> Value:
    try:
        return parse(value)
    except PayloadError as error:
        raise error.under(name) from None


def _settings(mapping: Any) -> Settings:
    if mapping is None:
        return _DEFAULT_SETTINGS
    if not isinstance(mapping, Mapping):
        raise PayloadError("settings", "an object of options or null", shown(mapping))
    return Settings.from_mapping(mapping)


_DEFAULT_SETTINGS: Final = Settings()


def _switch(request: Mapping[str, Any], name: str, default: bool) -> bool:
    value = request.get(name)
    if value is None:
        return default
    if value is not True and value is not False:
        raise PayloadError(name, "true, false or null", shown(value))
    return value


def _interface_name(request: Mapping[str, Any]) -> str | None:
    # What Linux takes for a network device (net/core/dev.c, dev_valid_name) and dnsmasq for one name, no pattern.
    name = request.get("interface_name")
    if name is None:
        return None
    if type(name) is str and 0 < len(name.encode(errors="replace")) < 16 and name not in (".", ".."):
        if name.isprintable() and not any(character in "/:,* " for character in name):
            return name
    raise PayloadError("interface_name", "the name of a network device, at most 15 bytes", shown(name))


def _interface_addresses(request: Mapping[str, Any]) -> tuple[str, ...] | None:
    addresses = request.get("interface_addresses")
    if addresses is None:
        return None
    if not isinstance(addresses, list | tuple):
        raise PayloadError("interface_addresses", "a list of addresses or null", shown(addresses))
    return tuple(_interface_address(address, index) for index, address in enumerate(addresses))


def _interface_address(address: Any, index: int) -> str:
    if type(address) is str:
        try:
            parse_cidr(address)
            return address
        except ValueError:
            pass
    raise PayloadError(f"interface_addresses[{index}]", "an address like 10.0.0.2/24 or fd00::2/64", shown(address))


# -- what is answered


@frozen
class _Device:
    name: str
    addresses: tuple[str, ...]


def _device(
    view: InstanceView,
    settings: Settings,
    host: HostCapabilities,
    name: str | None,
    addresses: tuple[str, ...] | None,
) -> _Device:
    if name is not None and addresses is not None:
        return _Device(name, addresses)
    gateways = host.use_gateway_ips
    port = choose_dhcp_port(view, settings, plugged=None, accepted={}, use_gateway_ips=gateways).port
    if port is None:
        return _Device(name or DEFAULT_INTERFACE, addresses or ())
    device = render_device(view, port, settings, use_gateway_ips=gateways, ipv6=host.ipv6_enabled)
    return _Device(name or device.name, device.addresses if addresses is None else addresses)


def _instance(
    view: InstanceView,
    settings: Settings,
    host: HostCapabilities,
    device: _Device,
    previous_leases: str | None,
    *,
    shared: bool,
) -> RenderedInstance:
    files = render_files(
        view,
        settings=settings,
        interface_name=device.name,
        interface_addresses=device.addresses,
        bridged=host.bridged,
        capabilities=host.dnsmasq,
    )
    leases, lease_warnings = render_initial_leases(view, settings=settings, previous=previous_leases)
    command = CommandLine(argv=files.argv, warnings=files.warnings)
    if shared:
        command = beside_others(command, device.name, view.network.id)
    return RenderedInstance(
        key=view.key,
        host=files.host,
        addn_hosts=files.addn_hosts,
        opts=files.opts,
        leases=leases,
        argv=command.argv,
        warnings=command.warnings + lease_warnings,
    )


def _proxy(network: Network, settings: Settings, host: HostCapabilities, *, dad_failed: bool) -> MetadataProxySpec:
    serves_ipv6 = host.ipv6_enabled and not dad_failed
    bind_interface = metadata_bind_interface(network, settings) if serves_ipv6 else None
    return render_metadata_proxy(network, settings=settings, bind_interface=bind_interface)
