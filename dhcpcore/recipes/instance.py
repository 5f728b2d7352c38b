"""How one dnsmasq instance is started, reloaded, stopped and cleaned up after, as recipes.

The order of the steps is what makes a kill between any two of them harmless: what tells of something half done is
written before it is begun, and removed when it is over.
"""

from __future__ import annotations

from collections.abc import Sequence

import dhcpcore.actions as actions
import dhcpcore.events as events
from dhcpcore.errors import AdapterError
from dhcpcore.model.lease import Lease
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceSpec, InstanceView
from dhcpcore.observed import DIRTY_MARK, INSTANCE_FILES, OWED_MARK, UNREPORTED_MARK
from dhcpcore.recipes.calls import Call, Recipe
from dhcpcore.recipes.failures import fault_of
from dhcpcore.render.framing import DEFAULT_TEMPLATES, Templates
from dhcpcore.render.leases import render_initial_leases
from dhcpcore.render.readback import HostEntry, ipv6_reservations, parse_hosts, removed_hosts, stale_leases


def start(action: actions.ApplyAction, settings: Settings) -> Recipe[events.InstanceStarted]:
    """Start an instance, or another in place of the one that runs; its clients keep their leases."""
    spec = action.spec
    yield from _mark_unreported(action)
    # As much as can be done while the old one serves is done before it is stopped: clients wait for the rest only.
    yield Call("namespaces", "ensure_device", (spec.device,))
    removed = yield from _write(action, ("host", "addn_hosts", "opts"))
    yield Call("files", "write", (f"{spec.directory}/interface", spec.device.name))
    leases = f"{spec.directory}/leases"
    if spec.view is not None:
        # Only to see that it can be read: what cannot be is no reason to stop the one that serves.
        last: str | None = yield Call("files", "read", (leases,))
        if spec.leases_template is not None:
            _initial_leases(spec, spec.view, settings, last, removed)  # nor is a template that fails
    yield Call("processes", "stop_dnsmasq", (spec.key,))
    if spec.view is not None:
        # dnsmasq keeps its leases file open, and writes it anew at any moment: it is read when nobody has it any more.
        previous: str | None = yield Call("files", "read", (leases,))
        text = _initial_leases(spec, spec.view, settings, previous, removed)
        yield Call("files", "write", (leases, text))
    pid: int = yield Call("processes", "start_dnsmasq", (spec,))
    yield Call("files", "remove", (f"{spec.directory}/{DIRTY_MARK}",))
    return events.InstanceStarted(pid=pid)


def _initial_leases(
    spec: InstanceSpec, view: InstanceView, settings: Settings, previous: str | None, removed: Sequence[HostEntry]
) -> str:
    templates = DEFAULT_TEMPLATES if spec.leases_template is None else Templates(leases=spec.leases_template)
    text, _ = render_initial_leases(view, settings=settings, previous=previous, removed=removed, templates=templates)
    return text


def reload(
    action: actions.ReloadInstance, settings: Settings
) -> Recipe[events.InstanceStarted | events.LeasesLeft | None]:
    """Have an instance load what differs, by SIGHUP or, where that is unsafe, by a fast restart."""
    spec = action.spec
    if not action.sighup:
        return (yield from start(action, settings))
    yield from _mark_unreported(action)
    if action.device:
        yield Call("namespaces", "ensure_device", (spec.device,))
    removed = yield from _write(action, action.changed_files)
    yield Call("processes", "reload_dnsmasq", (spec.key,))
    if not removed:
        yield Call("files", "remove", (f"{spec.directory}/{DIRTY_MARK}",))
    return (yield from _release(spec, removed))


def _mark_unreported(action: actions.ApplyAction) -> Recipe[None]:
    """Before anything is changed: an agent that is killed after that leaves nothing else that tells of these ports."""
    mark = f"{action.spec.directory}/{UNREPORTED_MARK}"
    if action.unreported:
        yield Call("files", "write", (mark, "".join(f"{port_id}\n" for port_id in action.unreported)))
    elif action.unreported is not None:
        yield Call("files", "remove", (mark,))


def _write(action: actions.ApplyAction, names: tuple[str, ...]) -> Recipe[tuple[HostEntry, ...]]:
    """Write files; the IPv6 reservations that dnsmasq had, or may have had, and that they have no longer.

    Those stand in the mark: once the files are written nothing else tells of them after a kill, or a failure.
    """
    spec = action.spec
    mark = f"{spec.directory}/{DIRTY_MARK}"
    known: str | None = yield Call("files", "read", (mark,))
    before: str | None = yield Call("files", "read", (f"{spec.directory}/host",))
    removed = ipv6_reservations((*parse_hosts(known or ""), *removed_hosts(before or "", spec.host)))
    yield Call("files", "write", (mark, removed))
    for name in names:
        yield Call("files", "write", (f"{spec.directory}/{name}", getattr(spec, name)))
    return parse_hosts(removed)


def release(action: actions.ReleaseLeases) -> Recipe[events.LeasesLeft | None]:
    """Release the leases of nobody, once more; those that moved to another port are told by what an attempt left."""
    known: str | None = yield Call("files", "read", (f"{action.spec.directory}/{DIRTY_MARK}",))
    return (yield from _release(action.spec, parse_hosts(known or "")))


def _release(spec: InstanceSpec, removed: Sequence[HostEntry]) -> Recipe[events.LeasesLeft | None]:
    """Release the leases of nobody, and of those whose reservations were removed.

    What dnsmasq does not let go of is told, not raised: what is new is loaded, and served, all the same.
    """
    stale: Sequence[Lease] = ()
    try:
        leases: str | None = yield Call("files", "read", (f"{spec.directory}/leases",))
        if leases is not None and spec.view is not None:
            stale = stale_leases(leases, spec.view, removed=removed, own=spec.device.addresses)
        if stale:
            yield Call("processes", "release_leases", (spec, stale))
    except AdapterError as error:
        return events.LeasesLeft(reason=str(error), addresses=frozenset(lease.ip_address for lease in stale))
    if removed:
        yield Call("files", "remove", (f"{spec.directory}/{DIRTY_MARK}",))
    return None


def disable(action: actions.DisableInstance) -> Recipe[None]:
    """Stop an instance and remove what it had on the host; what tells of a port to be given back stays."""
    yield Call("processes", "stop_dnsmasq", (action.key,))
    if action.device:
        yield Call("namespaces", "remove_device", (action.namespace, action.device))
    # The server is not asked here: the host does not wait for it. What is kept is found again by whoever comes after a
    # kill, a stock agent too, and makes it disable this once more; so the port is not forgotten.
    owed = action.device_id is not None
    # By name: what somebody else put there stays, and a segment's directory is never mistaken for an instance's.
    # Leases first: whose they are is told by the reservations, and nothing else.
    names = INSTANCE_FILES - {OWED_MARK} if owed else INSTANCE_FILES
    for name in sorted(names, key=lambda name: (name != "leases", name)):
        yield Call("files", "remove", (f"{action.directory}/{name}",))
    if not owed:
        yield from _remove_empty(action.directory)


def give_back(action: actions.ReleaseDhcpPort) -> Recipe[None]:
    """Give the DHCP port back, then forget that it was owed."""
    try:
        yield Call("server", "release_dhcp_port", (action.key.network_id, action.device_id))
    except AdapterError as error:
        # The network went, and its ports with it. Where it is wanted, the claim that follows is told so too.
        if fault_of(error) != "network_not_found":
            raise
    if action.directory is not None:
        yield from forget_owed(action.directory)


def forget_owed(directory: str) -> Recipe[None]:
    """Remove what is left of an instance that was disabled."""
    yield Call("files", "remove", (f"{directory}/{OWED_MARK}",))
    yield from _remove_empty(directory)


def _remove_empty(directory: str) -> Recipe[None]:
    left: Sequence[str] = yield Call("files", "list", (directory,))
    if not left:
        yield Call("files", "remove", (directory,))
