"""Payloads of the server to be spoilt by a test, and the error that they then get."""

from __future__ import annotations

from typing import Any, Final

import pytest

from dhcpcore.errors import PayloadError
from dhcpcore.wire import parse_network

MEGABYTE: Final = 1 << 20


def network(**changes: Any) -> dict[str, Any]:
    return {
        "id": "net",
        "subnets": [{"id": "sub", "network_id": "net", "cidr": "10.0.0.0/24", "ip_version": 4}],
        "ports": [port()],
        **changes,
    }


def port(**changes: Any) -> dict[str, Any]:
    return {
        "id": "port",
        "network_id": "net",
        "mac_address": "fa:16:3e:00:00:01",
        "fixed_ips": [{"subnet_id": "sub", "ip_address": "10.0.0.5"}],
        **changes,
    }


def subnet(**changes: Any) -> dict[str, Any]:
    return {"id": "sub", "network_id": "net", "cidr": "10.0.0.0/24", "ip_version": 4, **changes}


def refusal(payload: Any) -> PayloadError:
    with pytest.raises(PayloadError) as caught:
        parse_network(payload)
    text = str(caught.value)
    assert text == f"{caught.value.path or 'payload'}: expected {caught.value.expected}, got {caught.value.got}"
    assert len(text) < 1000
    assert "\n" not in text
    return caught.value
