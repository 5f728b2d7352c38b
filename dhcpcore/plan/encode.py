"""Plans and actions in JSON types: every field under its name, typed, deterministic.

For machines that record, compare or show plans.  Knows the values that actions are made of, and no action by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from attrs import fields, has

from dhcpcore.actions import FORMAT_VERSION, Action, Plan
from dhcpcore.model.spec import InstanceKey, InstanceSpec, MetadataProxySpec

#: What a spec is rendered from and with, and nothing that anybody has to carry out.
_LEFT_OUT: Final = frozenset({"view", "lines", "leases_template"})


def plan_to_json(plan: Plan, *, full: bool = False) -> dict[str, Any]:
    """A plan in JSON types.

    Args:
        full: with the whole texts of files, command lines and configurations; without, specs are told by their size.

    Times are monotonic seconds; ``due`` is null where only news can make another plan.
    """
    return {
        "format_version": FORMAT_VERSION,
        "actions": [action_to_json(action, full=full) for action in plan],
        "held": None if plan.held is None else _value(plan.held, full),
        "examined": list(plan.examined),
        "settled": list(plan.settled),
        "ready": list(plan.ready),
        "unplanned": _value(plan.unplanned, full),
        "made_at": _value(plan.made_at, full),
        "due": _value(plan.due, full),
    }


def action_to_json(action: Action, *, full: bool = False) -> dict[str, Any]:
    """An action in JSON types: ``kind``, ``network`` and ``segment`` (or null), ``reasons``, and the rest."""
    key = getattr(action, "key", None)
    encoded: dict[str, Any] = {
        "kind": action.kind,
        "network": action.network_id,
        "segment": key.segmentation if isinstance(key, InstanceKey) else None,
        "reasons": list(action.reasons),
    }
    for name, value in _members(action):
        if name not in ("key", "network_id", "reasons"):
            encoded[name] = _value(value, full)
    return encoded


def _members(model: Any) -> list[tuple[str, Any]]:
    return [(attribute.name, getattr(model, attribute.name)) for attribute in fields(type(model))]


def _value(value: Any, full: bool) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, InstanceSpec) and not full:
        return _instance_summary(value)
    if isinstance(value, MetadataProxySpec) and not full:
        return {"proxy_id": value.proxy_id, "config_path": value.config_path, "bind_interface": value.bind_interface}
    if isinstance(value, Mapping):
        return {str(name): _value(member, full) for name, member in value.items()}
    if isinstance(value, tuple | list):
        return [_value(member, full) for member in value]
    if isinstance(value, set | frozenset):
        return sorted((_value(member, full) for member in value), key=str)
    if has(type(value)):
        return {name: _value(member, full) for name, member in _members(value) if name not in _LEFT_OUT}
    raise TypeError(f"no JSON form for a {type(value).__name__}")


def _instance_summary(spec: InstanceSpec) -> dict[str, Any]:
    return {
        "directory": spec.directory,
        "device": spec.device.name,
        "port_id": spec.device.port_id,
        "addresses": list(spec.device.addresses),
        "arguments": len(spec.argv),
        "lines": {name: len(getattr(spec, name).splitlines()) for name in ("host", "addn_hosts", "opts")},
        "warnings": len(spec.warnings),
    }
