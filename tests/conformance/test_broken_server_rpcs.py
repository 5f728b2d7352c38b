"""The server suite catches connections that are wrong in one way each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from conformance.breaking import assert_caught
from dhcpcore.contracts import ServerRpc, Wire
from dhcpcore.errors import AdapterError
from dhcpcore.testing import MemoryServer, MemoryServerRpc
from dhcpcore.testing.conformance import MemoryServerWorld, ServerRpcConformance


class Broken(MemoryServerRpc):
    def __init__(self, server: MemoryServer, host: str) -> None:
        super().__init__(server, host)
        self.server = server


class ForgetsDisabledSubnets(Broken):
    """get_network_info with the server's default filter (Launchpad 1652654)."""

    def get_network_info(self, network_id: str) -> Wire | None:
        network = super().get_network_info(network_id)
        if network is None:
            return None
        return {**network, "subnets": [subnet for subnet in network["subnets"] if subnet["enable_dhcp"]]}


class EmptyForUnknown(Broken):
    def get_network_info(self, network_id: str) -> Wire | None:
        return super().get_network_info(network_id) or {}


class RaisesForUnknown(Broken):
    def get_network_info(self, network_id: str) -> Wire | None:
        network = super().get_network_info(network_id)
        if network is None:
            raise AdapterError("NetworkNotFound: no such network")
        return network


class AsksForAnotherHost(Broken):
    def __init__(self, server: MemoryServer, host: str) -> None:
        super().__init__(server, f"{host}.example.org")


class RetriesByItself(Broken):
    """Sends a call again after a timeout: two ports where one was asked for."""

    def create_dhcp_port(self, port: Wire) -> Wire | None:
        try:
            return super().create_dhcp_port(port)
        except AdapterError:
            return super().create_dhcp_port(port)


class WrapsTheName(Broken):
    def create_dhcp_port(self, port: Wire) -> Wire | None:
        try:
            return super().create_dhcp_port(port)
        except AdapterError as error:
            raise AdapterError(f"remote error: {error}") from None


class LeaksItsOwnErrors(Broken):
    def get_network_info(self, network_id: str) -> Wire | None:
        try:
            return super().get_network_info(network_id)
        except AdapterError as error:
            raise TimeoutError(str(error)) from None


class TimeoutsArePermanent(Broken):
    def get_network_info(self, network_id: str) -> Wire | None:
        try:
            return super().get_network_info(network_id)
        except AdapterError as error:
            raise AdapterError(str(error), retryable=False) from None


class SwallowsErrors(Broken):
    def get_network_info(self, network_id: str) -> Wire | None:
        try:
            return super().get_network_info(network_id)
        except AdapterError:
            return None


class BreaksAfterAnError(Broken):
    broken = False

    def get_network_info(self, network_id: str) -> Wire | None:
        if self.broken:
            raise AdapterError("connection is closed")
        self.broken = True
        answer = super().get_network_info(network_id)
        self.broken = False
        return answer


class AnswersFromItsCache(Broken):
    def __init__(self, server: MemoryServer, host: str) -> None:
        super().__init__(server, host)
        self.cache: dict[str, Wire | None] = {}

    def get_network_info(self, network_id: str) -> Wire | None:
        if network_id not in self.cache:
            self.cache[network_id] = super().get_network_info(network_id)
        return self.cache[network_id]


class ChangesTheRequest(Broken):
    def create_dhcp_port(self, port: Wire) -> Wire | None:
        port["port"]["device_owner"] = "network:dhcp"
        return super().create_dhcp_port(port)


class CutsTexts(Broken):
    def get_network_info(self, network_id: str) -> Wire | None:
        network: Any = super().get_network_info(network_id)
        for port in network["ports"] if network else ():
            for option in port["extra_dhcp_opts"]:
                option["opt_value"] = option["opt_value"].partition("\n")[0]
        return network  # type: ignore[no-any-return]


class ReleasesOne(Broken):
    def release_dhcp_port(self, network_id: str, device_id: str) -> None:
        for port in self.server.tables.ports_of(network_id):
            if port["device_id"] == device_id:
                self.server.delete_port(port["id"])
                return


class ReportsTheFirstOnly(Broken):
    def dhcp_ready_on_ports(self, port_ids: Sequence[str]) -> None:
        super().dhcp_ready_on_ports(port_ids[:1])


class AlwaysAlive(Broken):
    def report_state(self, agent_state: Wire) -> str | None:
        super().report_state(agent_state)
        return "alive"


class DropsConfigurations(Broken):
    def report_state(self, agent_state: Wire) -> str | None:
        return super().report_state({**agent_state, "configurations": {}})


class OnePageOnly(Broken):
    def get_network_info(self, network_id: str) -> Wire | None:
        network = super().get_network_info(network_id)
        return None if network is None else {**network, "ports": network["ports"][:500]}


class AsksTwice(Broken):
    def get_network_info(self, network_id: str) -> Wire | None:
        super().get_network_info(network_id)
        return super().get_network_info(network_id)


class ErrorForDisabled(Broken):
    def get_active_networks_info(self) -> Sequence[Wire]:
        return super().get_active_networks_info() or [{"id": "none"}]


@pytest.mark.parametrize(
    "broken, law",
    [
        (ForgetsDisabledSubnets, "test_all_subnets_in_both_answers"),
        (EmptyForUnknown, "test_unknown_network_is_none"),
        (AsksForAnotherHost, "test_lists_what_this_agent_serves"),
        (AsksForAnotherHost, "test_creates_a_dhcp_port"),
        (RetriesByItself, "test_a_lost_answer"),
        (WrapsTheName, "test_no_address_left"),
        (LeaksItsOwnErrors, "test_a_lost_request"),
        (TimeoutsArePermanent, "test_a_lost_request"),
        (SwallowsErrors, "test_an_error_inside_the_server"),
        (BreaksAfterAnError, "test_an_error_inside_the_server"),
        (AnswersFromItsCache, "test_answers_are_plain_data"),
        (AnswersFromItsCache, "test_unknown_network_is_none"),
        (ChangesTheRequest, "test_creates_a_dhcp_port"),
        (CutsTexts, "test_texts_arrive_unchanged"),
        (ReleasesOne, "test_releases_by_device_id"),
        (ReportsTheFirstOnly, "test_ready_ports_turn_active"),
        (AlwaysAlive, "test_heartbeats"),
        (AlwaysAlive, "test_revived"),
        (DropsConfigurations, "test_heartbeats"),
        (OnePageOnly, "test_large_answers"),
        (AsksTwice, "test_one_call_is_one_call"),
        (ErrorForDisabled, "test_disabled_agent_serves_nothing"),
    ],
)
def test_is_caught(broken: Callable[[MemoryServer, str], ServerRpc], law: str) -> None:
    assert_caught(ServerRpcConformance, lambda: MemoryServerWorld(broken), law)


def test_an_error_for_an_unknown_network_is_caught() -> None:
    assert_caught(ServerRpcConformance, lambda: MemoryServerWorld(RaisesForUnknown), "test_unknown_network_is_none")
