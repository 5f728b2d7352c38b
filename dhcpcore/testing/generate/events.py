"""Events of every kind, and hosts as they may be found: for showing that folding is total and keeps its promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from dhcpcore import actions, events
from dhcpcore.model.network import Network
from dhcpcore.model.spec import InstanceKey, Route
from dhcpcore.observed import ObservedDevice, ObservedHost, ObservedInstance, ObservedProcess, ObservedProxy
from dhcpcore.testing.choices import Choices
from dhcpcore.testing.generate.flavour import Flavour
from dhcpcore.testing.generate.histories import history
from dhcpcore.testing.generate.leases import leases_file
from dhcpcore.testing.generate.networks import HOST, network, networks
from dhcpcore.testing.generate.settings import capabilities, settings
from dhcpcore.testing.generate.texts import hostile_text, identifier, mac_address
from dhcpcore.wire import event_or_refusal

_SEGMENTATIONS: Final = (None, None, "7", "None")


def _text(c: Choices, flavour: Flavour) -> str | None:
    if c.chance(20):
        return None
    return hostile_text(c) if flavour is Flavour.HOSTILE else c.pick(("", "fa:16:3e:00:00:01,host,10.0.0.5\n"))


def _observed_process(c: Choices, flavour: Flavour, program: str, owner: str, namespace: str) -> ObservedProcess:
    argv = [program, f"--dhcp-hostsfile=/var/lib/neutron/dhcp/{owner}/host"]
    if flavour is Flavour.HOSTILE:
        argv += [hostile_text(c) for _ in range(c.integer(0, 3))]
    return ObservedProcess(
        program=program,
        owner=owner,
        pid=c.integer(2, 99999),
        argv=tuple(argv),
        namespace=None if c.chance(10) else namespace,
        started=str(c.integer(0, 99)),
        stopped=c.chance(5),
    )


def observed_device(c: Choices, namespace: str) -> ObservedDevice:
    """A device in a namespace, or the namespace alone."""
    if c.chance(15):
        return ObservedDevice(namespace=namespace)
    metadata = "fe80::a9fe:a9fe/128"
    addresses = c.some(("10.0.0.2/24", "fd00:9::2/64", "169.254.169.254/32", metadata, "fe80::f816:3eff:fe00:1/64"))
    return ObservedDevice(
        namespace=namespace,
        name="tap" + f"{c.integer(0, 2**40):011x}"[:11],
        mac_address=mac_address(c),
        mtu=c.pick((1450, 1500, 0)),
        up=not c.chance(10),
        addresses=tuple(addresses),
        dadfailed=(metadata,) if metadata in addresses and c.chance(20) else (),
        routes=(Route(gateway="10.0.0.1"),) if c.chance(50) else (),
    )


def observed_host(
    c: Choices, flavour: Flavour = Flavour.TYPICAL, network_ids: Sequence[str] | None = None
) -> ObservedHost:
    """What an adapter may find on a host; hostile: anything at all that its types allow."""
    ids = list(network_ids or ()) or [identifier(c, flavour)]
    instances: list[ObservedInstance] = []
    for _ in range(c.integer(0, 3)):
        key = InstanceKey(network_id=c.pick(ids), segmentation=c.pick(_SEGMENTATIONS))
        if any(other.key == key for other in instances):
            continue
        namespace = f"qdhcp-{key.network_id}"
        device = None if c.chance(20) else observed_device(c, namespace)
        process = None
        if not c.chance(20):
            process = _observed_process(c, flavour, "dnsmasq", key.directory, namespace)
        instances.append(
            ObservedInstance(
                key=key,
                process=process,
                host=_text(c, flavour),
                addn_hosts=_text(c, flavour),
                opts=_text(c, flavour),
                leases=leases_file(c, flavour).text if c.chance(60) else None,
                interface=_text(c, flavour) if c.chance(30) or device is None else device.name,
                dirty=c.chance(20),
                device=device,
            )
        )
    proxies = []
    for network_id in c.some(ids, 0, 2):
        process = _observed_process(c, flavour, "haproxy", network_id, f"qdhcp-{network_id}")
        proxies.append(
            ObservedProxy(
                network_id=network_id,
                proxy_id=network_id,
                process=None if c.chance(30) else process,
                config=_text(c, flavour),
            )
        )
    return ObservedHost(
        instances=tuple(instances),
        proxies=tuple(proxies),
        namespaces=tuple(f"qdhcp-{network_id}" for network_id in c.some(ids)),
        stray_devices=tuple(observed_device(c, f"qdhcp-{c.pick(ids)}") for _ in range(c.integer(0, 1))),
    )


def _outcome(c: Choices, flavour: Flavour, known: Sequence[Network], at: float) -> events.Event:
    """The outcome of an action that asks; what acts on a host is left to those who make plans."""
    network_id = c.pick([each.id for each in known]) if known else identifier(c, flavour)
    seq = c.integer(0, 20)
    pairs: tuple[tuple[actions.Action, events.Result], ...] = (
        (actions.FetchNetworks(sent_seq=seq), events.FetchedNetworks(networks=tuple(c.some(known)))),
        (
            actions.FetchNetwork(network_id=network_id, sent_seq=seq),
            next((each for each in known if each.id == network_id), None) if c.chance(80) else None,
        ),
        (actions.ReportState(agent_state={}, sent_seq=seq), c.pick(("alive", "new", "revived", None))),
        (actions.ObserveHost(sent_seq=seq), observed_host(c, flavour, [each.id for each in known])),
        (actions.NotifyReady(port_ids=tuple(identifier(c, flavour) for _ in range(c.integer(1, 3)))), None),
    )
    action, result = c.pick(pairs)
    if c.chance(25):
        faults: tuple[events.Fault, ...] = (
            "error",
            "timeout",
            "unreachable",
            "network_not_found",
            "unsupported",
            "skipped",
        )
        return events.ActionFailed(
            at=at, action=action, reason="simulated", fault=c.pick(faults), retryable=not c.chance(20)
        )
    return events.ActionSucceeded(at=at, action=action, result=result)


def event(
    c: Choices,
    flavour: Flavour = Flavour.TYPICAL,
    *,
    known: Sequence[Network] | None = None,
    at: float = 0.0,
    host: str = HOST,
) -> events.Event:
    """Any event; those about networks and ports mostly concern `known` ones (default: made here)."""
    if known is None:
        known = networks(c, flavour, host=host, count=c.integer(1, 2))
    subject = c.pick(known) if known else network(c, flavour, host=host)
    kinds: tuple[Callable[[], events.Event], ...] = (
        lambda: events.PortUpdated(at=at, port=c.pick(subject.ports)) if subject.ports else _created(subject, at),
        lambda: events.PortCreated(at=at, port=c.pick(subject.ports)) if subject.ports else _created(subject, at),
        lambda: events.PortDeleted(
            at=at,
            port_id=c.pick(subject.ports).id if subject.ports else identifier(c, flavour),
            network_id=None if c.chance(10) else subject.id,
        ),
        lambda: _created(subject, at),
        lambda: events.NetworkUpdated(
            at=at,
            network_id=subject.id,
            admin_state_up=not c.chance(10),
            mtu=c.pick((None, 1400, 1500)),
            subnet_ids=c.pick((None, tuple(each.id for each in subject.all_subnets))),
        ),
        lambda: events.NetworkDeleted(at=at, network_id=subject.id),
        lambda: (
            events.SubnetUpdated(at=at, subnet=c.pick(subject.all_subnets))
            if subject.all_subnets
            else _created(subject, at)
        ),
        lambda: (
            events.SubnetCreated(at=at, subnet=c.pick(subject.all_subnets))
            if subject.all_subnets
            else _created(subject, at)
        ),
        lambda: events.SubnetDeleted(
            at=at,
            subnet_id=c.pick(subject.all_subnets).id if subject.all_subnets else identifier(c, flavour),
            network_id=None if c.chance(10) else subject.id,
        ),
        lambda: _outcome(c, flavour, known, at),
        lambda: events.HostObserved(at=at, observed=observed_host(c, flavour, [each.id for each in known])),
        lambda: events.ProcessDied(
            at=at,
            key=InstanceKey(network_id=subject.id, segmentation=c.pick(_SEGMENTATIONS)),
            pid=c.pick((None, c.integer(2, 99999))),
            exit_code=c.pick((None, 0, 2, 5, -9, -11)),
        ),
        lambda: events.ProxyDied(at=at, network_id=subject.id, exit_code=c.pick((None, 1))),
        lambda: events.AgentUpdated(at=at, admin_state_up=not c.chance(50)),
        lambda: events.PayloadRefused(at=at, message="simulated", network_id=c.pick((None, subject.id))),
        lambda: events.ResyncRequested(at=at, reason="simulated", network_id=c.pick((None, subject.id))),
        lambda: events.DisableForced(at=at),
        lambda: events.AgentKnown(at=at),
        lambda: events.SettingsChanged(at=at, settings=settings(c, flavour, host=host)),
        lambda: events.CapabilitiesChanged(at=at, capabilities=capabilities(c)),
    )
    return c.pick(kinds)()


def _created(subject: Network, at: float) -> events.Event:
    return events.NetworkCreated(at=at, network_id=subject.id)


def event_series(
    c: Choices, flavour: Flavour = Flavour.TYPICAL, *, host: str = HOST, max_events: int = 12
) -> tuple[events.Event, ...]:
    """Events of every kind about the same few networks, at growing times."""
    known = networks(c, flavour, host=host, count=c.integer(1, 3))
    at = 0.0
    series = []
    for _ in range(c.integer(0, max_events)):
        at += c.pick((0.0, 0.01, 1.0, 60.0, 600.0))
        series.append(event(c, flavour, known=known, at=at, host=host))
    return tuple(series)


def notified(
    c: Choices, flavour: Flavour = Flavour.TYPICAL, *, host: str = HOST, max_steps: int = 8
) -> tuple[events.Event, ...]:
    """What a server's notifications over a history become, parsed."""
    told = history(c, flavour, host=host, max_steps=max_steps).notifications
    return tuple(event_or_refusal(each.method, each.payload, at=float(number)) for number, each in enumerate(told))
