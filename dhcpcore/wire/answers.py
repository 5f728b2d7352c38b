"""The answer to get_active_networks_info: many networks, of which one bad one loses no other."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from dhcpcore.errors import PayloadError, shown
from dhcpcore.events import FailedNetwork, FetchedNetworks
from dhcpcore.model.network import Network
from dhcpcore.wire.network import parse_network
from dhcpcore.wire.reading import readable_id


@frozen(kw_only=True)
class RefusedNetwork:
    """A network of an answer that could not be parsed.

    Attributes:
        network_id: None where that could not be read either.
        error: its path starts with ``networks[<index>]``.
    """

    network_id: str | None
    error: PayloadError


def parse_networks(payload: Any) -> tuple[tuple[Network, ...], tuple[RefusedNetwork, ...]]:
    """The networks of an answer, in its order, and those refused.

    Raises:
        PayloadError: the answer is not a list at all (path ``networks``); nothing can be told from it.
    """
    if type(payload) is not list and type(payload) is not tuple:
        raise PayloadError("networks", "a list", shown(payload))
    networks: dict[str, Network] = {}
    refused: list[RefusedNetwork] = []
    for index, member in enumerate(payload):
        try:
            network = parse_network(member)
            if network.id in networks:
                raise PayloadError("id", "an id that no other network of the answer has", shown(network.id))
            networks[network.id] = network
        except PayloadError as error:
            network_id = readable_id(member.get("id")) if isinstance(member, dict) else None
            refused.append(RefusedNetwork(network_id=network_id, error=error.under(f"networks[{index}]")))
    return tuple(networks.values()), tuple(refused)


def fetched_networks(payload: Any) -> FetchedNetworks:
    """The same as the answer to a `FetchNetworks` action.

    Raises:
        PayloadError: as `parse_networks`.
    """
    networks, refused = parse_networks(payload)
    failed = tuple(FailedNetwork(network_id=one.network_id, message=str(one.error)) for one in refused)
    return FetchedNetworks(networks=networks, failed=failed)
