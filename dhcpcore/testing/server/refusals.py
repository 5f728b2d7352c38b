"""What a Neutron server refuses, by the names of its exceptions."""

from __future__ import annotations

from typing import Final

from dhcpcore.errors import AdapterError

#: Refusals that only news about the network can change: the same call meets the same answer.
PERMANENT: Final = frozenset(
    {
        "IpAddressGenerationFailure",
        "NetworkNotFound",
        "SubnetNotFound",
        "PortNotFound",
        "InvalidIpForSubnet",
        "UnsupportedVersion",
    }
)


class Refusal(Exception):
    """The server will not: `name` is the class of Neutron's exception (neutron_lib.exceptions)."""

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(name, message)

    def __str__(self) -> str:
        return f"{self.name}: {self.args[1]}"

    def as_adapter_error(self) -> AdapterError:
        """What an adapter makes of it: the text begins with the exception's name."""
        return AdapterError(str(self), retryable=self.name not in PERMANENT)
