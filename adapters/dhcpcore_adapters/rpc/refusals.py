"""What becomes of a server's refusal: an `AdapterError` whose text begins with the remote exception's class name.

Knows names; no transport.
"""

from __future__ import annotations

from typing import Final

from dhcpcore import AdapterError

#: Refusals that only news about the network can change: the same call would meet the same answer.  Neutron's names.
PERMANENT: Final = frozenset(
    {
        "InvalidIpForSubnet",
        "IpAddressGenerationFailure",
        "NetworkNotFound",
        "PortNotFound",
        "SubnetNotFound",
        "UnsupportedVersion",
    }
)


def refused(name: str, message: str) -> AdapterError:
    """The error that a call ends with.

    Args:
        name: the class of the remote exception; message: its text.
    """
    return AdapterError(f"{name}: {message}", retryable=name not in PERMANENT)
