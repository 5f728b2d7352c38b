"""What one instance needs: the difference between the spec it runs with and the spec it should run with.

Never a guess from the kind of event: equal specs need nothing, whatever happened.
"""

from __future__ import annotations

from collections import Counter

from attrs import evolve

from dhcpcore.actions import Action, EnableInstance, ReleaseLeases, ReloadInstance, RestartInstance, UpdateDevice
from dhcpcore.model.capabilities import HostCapabilities
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import DeviceSpec, InstanceSpec
from dhcpcore.plan.canonical import differing_files, serves_as
from dhcpcore.render.isolation import METADATA_V6_CIDR
from dhcpcore.render.readback import parse_hosts, stale_leases
from dhcpcore.state.observation import MISSING
from dhcpcore.state.records import Retry, ServedInstance

ALL_FILES = ("host", "addn_hosts", "opts")


def change(
    served: ServedInstance | None, spec: InstanceSpec, settings: Settings, capabilities: HostCapabilities
) -> Action | None:
    """The one action that brings what is served to `spec`; None when nothing has to be done."""
    if served is None:
        return EnableInstance(key=spec.key, spec=spec, reasons=("not served yet",))
    if not served.alive and served.spec.view is None and served.spec.host == MISSING:
        # Somebody began to serve it, and came to no file: nobody was ever told of its ports.
        return EnableInstance(key=spec.key, spec=spec, reasons=("not served yet",))
    wrong = _must_restart(served, spec)
    if not served.alive:
        return RestartInstance(key=spec.key, spec=spec, reasons=("dnsmasq is not running", *wrong), repair=True)
    if wrong:
        repair = bool(served.drift) and len(wrong) == len(served.drift)
        return RestartInstance(key=spec.key, spec=spec, reasons=wrong, repair=repair)
    files = ALL_FILES if served.dirty else differing_files(served.spec, spec)
    device = _device_reasons(served.spec.device, spec.device)
    if served.unplugged:
        device = (*device, served.unplugged)
    if files:
        reasons = ("its files may not be loaded",) if served.dirty else tuple(f"file {name} differs" for name in files)
        return ReloadInstance(
            key=spec.key,
            spec=spec,
            changed_files=files,
            sighup=sighup_allowed(served, spec, settings, capabilities),
            device=bool(device),
            reasons=(*reasons, *device),
        )
    if device:
        # As long as it runs with a command line for company, its addresses are labelled for company too.
        shared = served.spec.device.shared or spec.device.shared
        told = evolve(served.spec, device=evolve(spec.device, shared=shared))
        return UpdateDevice(key=spec.key, spec=told, reasons=device)
    if served.leases is not None and spec.view is not None:
        stale = stale_leases(served.leases, spec.view, own=served.spec.device.addresses)
        if stale:
            reason = f"{len(stale)} lease{'s' if len(stale) > 1 else ''} of nobody"
            # The view is the desired one: who is live is told by what is wanted, not by what was served.
            return ReleaseLeases(key=spec.key, spec=evolve(served.spec, view=spec.view), reasons=(reason,))
    return None


def leases_left(
    action: Action | None, served: ServedInstance, spec: InstanceSpec, retry: Retry, now: float
) -> Action | None:
    """`change`'s action, where leases of nobody could not be released: that again, when its time has come.

    Args:
        retry: when, and why they could not be.
    """
    if retry.not_before > now:
        return None if isinstance(action, ReleaseLeases) else action
    if action is not None:
        return action
    told = evolve(served.spec, view=spec.view)
    return ReleaseLeases(key=spec.key, spec=told, reasons=(f"leases of nobody are left: {retry.reason}",))


def sighup_allowed(
    served: ServedInstance, spec: InstanceSpec, settings: Settings, capabilities: HostCapabilities
) -> bool:
    """Whether this instance may be reloaded by SIGHUP, and be `spec` then.

    dnsmasq before 2.91 dies of it when a client was served whose loaded hosts line has a ``set:`` tag.  The version is
    that of the installed program: one that was started before an upgrade is another.
    """
    if settings.reload_method != "auto":
        return settings.reload_method == "sighup"
    if capabilities.dnsmasq.sighup_is_safe and not served.replaced:
        return True
    loaded = served.spec.host
    if served.spec.view is None:
        # Of one that an earlier life started only the files are known. They may have been edited since it loaded them:
        # what no agent writes tells that they were, and that nobody knows any more what dnsmasq has in mind.
        if any(entry.unparsed for entry in parse_hosts(loaded)):
            return False
        loaded += spec.host
    return not served.dirty and ",set:" not in loaded


def _must_restart(served: ServedInstance, spec: InstanceSpec) -> tuple[str, ...]:
    reasons = list(served.drift)
    now = served.spec
    if now.argv != spec.argv and not serves_as(now.argv, spec.argv):
        reasons.append(argv_difference(now.argv, spec.argv))
    device, wanted = now.device, spec.device
    if device.name != wanted.name:
        reasons.append(f"device {device.name or '(none)'} should be {wanted.name}")
    elif device.mac_address.lower() != wanted.mac_address.lower():
        reasons.append(f"MAC address of {device.name} is {device.mac_address}, should be {wanted.mac_address}")
    elif wanted.mtu and device.mtu != wanted.mtu:
        reasons.append(f"MTU of {device.name} is {device.mtu}, should be {wanted.mtu}")
    return tuple(reasons)


def argv_difference(now: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    """What a command line gains and loses, as one line."""
    gained = sorted((Counter(filter(None, wanted)) - Counter(filter(None, now))).elements())
    lost = sorted((Counter(filter(None, now)) - Counter(filter(None, wanted))).elements())
    if not now:
        return "command line is not known"
    return "command line: " + " ".join([*(f"-{a.lstrip('-')}" for a in lost), *(f"+{a.lstrip('-')}" for a in gained)])


def _device_reasons(device: DeviceSpec, wanted: DeviceSpec) -> tuple[str, ...]:
    reasons: list[str] = []
    if device.addresses != wanted.addresses:
        has = {_plain(address) for address in device.addresses}
        wants = {_plain(address) for address in wanted.addresses}
        reasons.extend(f"address {address} is missing" for address in sorted(wants - has))
        # Link-local addresses that the kernel gave itself are not ours to remove; the metadata address is.
        reasons.extend(
            f"address {address} is too many"
            for address in sorted(has - wants)
            if address == METADATA_V6_CIDR or not address.startswith("fe80:")
        )
    if set(device.routes) != set(wanted.routes):
        reasons.append("default routes differ")
    return tuple(reasons)


def _plain(address: str) -> str:
    return address.lower()
