"""The host of a what-if: named, or found out from its DHCP ports."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import pytest

from dhcpcore.model.network import Network
from dhcpcore.model.settings import Settings
from dhcpcore.plan.assume import assume_served
from dhcpcore.plan.assume_host import settings_of_host
from support.what_ifs import dhcp_port, network


class TestHost:
    def of(self, host: str, network_id: str = "net", **fields: Any) -> Network:
        own = {"device_id": f"dhcp{uuid5(NAMESPACE_DNS, host)}-{network_id}", **fields}
        return network(network_id, ports=[dhcp_port(network_id, "s0/10.0.0.2") | own])

    def test_named_by_option_or_argument_it_is_not_told_from_ports(self) -> None:
        current = [self.of("h")]
        assert settings_of_host({}, host="mine", current=current).settings.host == "mine"
        for options in ({"host": "mine"}, {"DEFAULT": {"host": "mine"}}, {"DEFAULT.host": "mine"}):
            assert settings_of_host(options, current=current).settings.host == "mine"
        assert settings_of_host({}).settings.host == Settings().host

    def test_the_name_comes_from_the_binding(self) -> None:
        host = settings_of_host({}, current=[self.of("h.example", **{"binding:host_id": "h.example"})])
        assert host.settings.host == "h.example"
        assert host.note is None

    def test_without_a_name_the_uuid_will_do(self) -> None:
        for binding in (None, "another-name", "", "x" * 5000):
            fields: dict[str, Any] = {"binding:host_id": binding}
            found = self.of("h", **fields)
            settings = settings_of_host({}, desired=[found]).settings
            assert settings.dhcp_device_id("net", 7) == f"dhcp{uuid5(NAMESPACE_DNS, 'h')}-net-7"
            if binding != "x" * 5000:
                (served,) = assume_served([found], settings).record("net").served.values()
                assert served.spec.device.port_id == "dhcp-net"

    def test_of_several_the_one_on_most_current_networks(self) -> None:
        current = [self.of("a", "1"), self.of("b", "2"), self.of("b", "3")]
        desired = [self.of("a", str(number)) for number in range(4, 9)]
        host = settings_of_host({}, current=current, desired=desired)
        assert host.settings.dhcp_device_id("x") == f"dhcp{uuid5(NAMESPACE_DNS, 'b')}-x"
        uuid = uuid5(NAMESPACE_DNS, "b")
        assert host.note == (
            f"there are DHCP ports of 2 hosts; assuming the one with UUID {uuid}, which has ports on 2 of 3 networks"
        )

    @pytest.mark.parametrize(
        "fields",
        [
            {"device_owner": "compute:nova"},
            {"device_id": "reserved_dhcp_port"},
            {"device_id": f"dhcp{uuid5(NAMESPACE_DNS, 'h')}-othernet"},
            {"device_id": "dhcpzzz-net"},
        ],
    )
    def test_other_ports_tell_nothing(self, fields: dict[str, Any]) -> None:
        assert settings_of_host({}, current=[self.of("h", **fields)]).settings == Settings()

    def test_options_that_nobody_knows(self) -> None:
        assert settings_of_host({"dhcp_lease_duratoin": 3}).unknown == ("dhcp_lease_duratoin",)
