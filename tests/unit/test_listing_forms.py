"""Listings and plans as people and scripts read them."""

from __future__ import annotations

import json

from dhcpcore.actions import FetchNetworks, Plan, RemoveDevice, RemoveNamespace, ReportState, RestartInstance, Unplanned
from dhcpcore.events import ActionSucceeded, FetchedNetworks
from dhcpcore.plan import plan_sync
from dhcpcore.plan.assume import assume_served
from dhcpcore.plan.encode import plan_to_json
from dhcpcore.plan.listing import list_plans
from dhcpcore.state.fold import fold_event
from support.what_ifs import OURS, SETTINGS, actions, dhcp_port, difference, network


class TestForms:
    def test_text(self) -> None:
        before = [network("kept"), network("gone"), network("mtu", mtu=1500)]
        after = [network("kept", ports=[dhcp_port("kept", "s0/10.0.0.2")]), network("mtu", mtu=1400), network("new")]
        assert list(difference(before, after).lines()) == [
            "- gone",
            "    the server no longer lists the network",
            "~ kept",
            "    file host differs",
            "    file addn_hosts differs",
            "! mtu",
            "    command line: -dhcp-option-force=option:mtu,1500 +dhcp-option-force=option:mtu,1400",
            "    MTU of tapdhcp-mtu is 1500, should be 1400",
            "+ new",
            "    not served yet",
            "    to serve: 1 port on 1 subnet",
            "Plan: 1 to enable, 1 to disable, 1 to reload, 1 to restart, 0 unchanged.",
        ]

    def test_json(self) -> None:
        listing = difference([network("a", mtu=1500), network("b")], [network("a", mtu=1400), network("b")])
        assert listing.to_json() == {
            "format_version": 1,
            "summary": {"enable": 0, "disable": 0, "reload": 0, "restart": 1, "unchanged": 1},
            "changes": [
                {
                    "network": "a",
                    "segment": None,
                    "action": "restart",
                    "reasons": [
                        "command line: -dhcp-option-force=option:mtu,1500 +dhcp-option-force=option:mtu,1400",
                        "MTU of tapdhcp-a is 1500, should be 1400",
                    ],
                    "files": [],
                    "argv": {
                        "added": ["--dhcp-option-force=option:mtu,1400"],
                        "removed": ["--dhcp-option-force=option:mtu,1500"],
                    },
                }
            ],
            "brake": None,
            "unplanned": [],
            "unknown": [],
        }

    def test_repairs_and_leftovers_of_a_live_host(self) -> None:
        """The same listing serves plans that were made of an observed host."""
        state = assume_served([network()], SETTINGS)
        (served,) = state.record("net").served.values()
        plan = Plan(
            actions=(
                ReportState(agent_state={}),
                FetchNetworks(),
                RemoveDevice(network_id="x", namespace="qdhcp-x", device="tap1", reasons=("it belongs to nobody",)),
                RemoveNamespace(network_id="y", namespace="qdhcp-y", reasons=("nothing is left in it",)),
                RestartInstance(key=served.spec.key, spec=served.spec, repair=True, reasons=("not running",)),
            )
        )
        listing = list_plans([(state, plan)], known={"net", "x", "z"})
        assert actions(listing) == {"net": "reload", "x": "reload", "y": "disable"}
        assert [change.reasons for change in listing.changes] == [
            ("not running",),
            ("device tap1: it belongs to nobody",),
            ("namespace qdhcp-y: nothing is left in it",),
        ]
        assert listing.summary.unchanged == 1

    def test_a_network_that_cannot_be_planned_is_told(self) -> None:
        state = assume_served([network()], SETTINGS)
        plan = Plan(unplanned=(Unplanned(network_id="net", reason="a template failed"),))
        listing = list_plans([(state, plan)], known={"net"})
        assert listing.summary.unchanged == 1
        assert listing.to_json()["unplanned"] == [{"network": "net", "reason": "a template failed"}]
        assert list(listing.notes()) == ["network net cannot be planned and stays as it is: a template failed"]

    def test_a_port_that_nobody_serves_on_is_no_change(self) -> None:
        """It is given back; a dnsmasq that does not run is not touched by that."""
        down = network(admin_state_up=False)
        assert not difference(down, down)
        assert not difference([], down)


class TestEncoding:
    def plan(self) -> Plan:
        state = assume_served([], SETTINGS)
        listed = FetchNetworks(sent_seq=state.seq)
        networks = (network(), network("claimed", ports=[]))
        state = fold_event(ActionSucceeded(action=listed, result=FetchedNetworks(networks=networks)), state)
        return plan_sync(state, 0.0)

    def test_actions_are_told_by_kind_and_specs_by_their_size(self) -> None:
        encoded = plan_to_json(self.plan())
        create, enable = encoded["actions"]
        assert create == {
            "kind": "create_dhcp_port",
            "network": "claimed",
            "segment": None,
            "reasons": ["claim a new DHCP port"],
            "device_id": f"{OURS}-claimed",
            "project_id": None,
            "subnet_ids": ["s0"],
        }
        assert enable["kind"] == "enable"
        assert enable["spec"]["lines"] == {"host": 1, "addn_hosts": 1, "opts": 1}
        assert enable["spec"]["addresses"] == ["10.0.0.2/24"]
        assert encoded["due"] is None

    def test_in_full_they_hold_the_texts(self) -> None:
        encoded = plan_to_json(self.plan(), full=True)
        spec = encoded["actions"][1]["spec"]
        assert spec["host"].startswith("fa:16:3e:00:00:05,")
        assert spec["argv"][0] == "dnsmasq"
        assert spec["key"] == {"network_id": "net", "segmentation": None}
        assert "view" not in spec
        assert json.loads(json.dumps(encoded, allow_nan=False)) == encoded
