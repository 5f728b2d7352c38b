"""Probers of the integration tests, and what a machine asks for beside its lease: DNS and metadata.

Each against a real dnsmasq (and haproxy) that was started by hand, some of them stopped while they are measured.
DHCPCORE_CLIENTS_NETWORKS: how many networks are probed at once (20).
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from support import host as hosts
from support.clients import dns
from support.clients.http_get import METADATA_4, METADATA_6, get
from support.clients.metadata_agent import MetadataAgent
from support.clients.prober import Prober, Target
from support.clients.sample import BOOTING, MAC, SETTINGS, STRANGER, missing, network
from support.clients.served import ServedNetwork
from support.clients.station import DEVICE, Station
from support.clients.udhcpc import Udhcpc
from support.clients.wire_latency import NotAnswered, answered, fell_silent
from support.clients.wires import Wire
from support.dhcp_packets import ACK, NAK
from support.waiting import eventually

NETWORKS: Final = int(os.environ.get("DHCPCORE_CLIENTS_NETWORKS", "20"))

if hosts.inside():
    # -- without a client's program

    def test_raw_leases(served: ServedNetwork) -> None:
        """Law: a lease is taken, renewed, rebound and released by frames alone, from the bridge."""
        with Wire(served.bridge) as wire:
            lease = wire.take_lease(MAC)
            assert (lease.address, lease.server, lease.server_mac) == ("10.0.0.5", "10.0.0.2", served.server_mac)
            assert lease.lease_time == 86400
            for broadcast in (False, True):
                reply = wire.extend(lease, broadcast=broadcast)
                assert reply is not None
                assert (reply.kind, reply.address) == (ACK, "10.0.0.5")
            wire.release(lease)
            assert eventually(lambda: "10.0.0.5" not in served.leases())
            reply = wire.extend(lease)
            assert reply is not None
            assert reply.kind == NAK

    def test_time_to_the_right_answer(served: ServedNetwork, station: Station) -> None:
        """Law: it is measured from outside, from the bridge as from a station; a wrong answer is none."""
        assert answered(served.bridge, MAC, "10.0.0.5", 2) < 1
        assert answered(DEVICE, BOOTING, "10.0.0.6", 2, namespace=station.namespace) < 1
        with pytest.raises(NotAnswered, match=r"was offered \['10\.0\.0\.5'\] and not 10\.0\.0\.8"):
            answered(served.bridge, MAC, "10.0.0.8", 1)
        assert answered(served.bridge, STRANGER, None, 0.3) >= 0.3
        with pytest.raises(NotAnswered, match=r"is offered 10\.0\.0\.5"):
            answered(served.bridge, MAC, None, 3)
        with pytest.raises(NotAnswered, match=r"still offered 10\.0\.0\.5"):
            fell_silent(served.bridge, MAC, 0.2, quiet=1)
        stopping = threading.Timer(0.3, served.stop)
        stopping.start()
        assert 0.1 < fell_silent(served.bridge, MAC, 20) < 10
        stopping.join()
        with pytest.raises(NotAnswered, match="was offered nothing"):
            answered(served.bridge, MAC, "10.0.0.5", 0.2)
        starting = threading.Timer(0.3, served.start)
        begun = time.monotonic()
        starting.start()
        assert answered(served.bridge, MAC, "10.0.0.5", 20) < 10
        assert time.monotonic() - begun > 0.3
        starting.join()

    def test_many_networks_at_once(tmp_path: Path) -> None:
        """Law: the prober tells which networks were not answered and for how long, and that all others were."""
        try:
            with ExitStack() as stack:
                served = [
                    stack.enter_context(ServedNetwork(network(number), SETTINGS, tmp_path / f"{number}"))
                    for number in range(NETWORKS)
                ]
                targets = []
                for number, each in enumerate(served):
                    address = f"10.{number}.0.5"
                    lease = None
                    if number % 2:
                        with Wire(each.bridge) as wire:
                            lease = wire.take_lease(MAC)
                    target = Target(
                        name=f"{number}",
                        device=each.bridge,
                        mac=MAC,
                        expected=address,
                        lease=lease,
                        rebind=number % 4 == 1,
                    )
                    targets.append(target)
                wrong = Target(name="wrong", device=served[0].bridge, mac=BOOTING, expected="10.0.0.99")
                with Prober([*targets, wrong], 0.1) as prober:
                    time.sleep(1)
                    begun = time.monotonic()
                    for number in (2, 3):
                        served[number].stop()
                    time.sleep(1.5)
                    for number in (2, 3):
                        served[number].start()
                    time.sleep(1)
                    undisturbed = prober.report(until=begun - 0.2)
                report = prober.report()
                print(report)
            gaps = {each.name: each.worst_gap for each in report.measured}
            assert all(1.3 < gaps[name] < 8 for name in ("2", "3")), gaps
            others = [each for each in report.measured if each.name not in ("2", "3", "wrong")]
            assert len(others) == NETWORKS - 2
            assert all(each.worst_gap < 1.4 for each in others), gaps
            assert all(each.unanswered == 0 for each in others)
            assert all(each.answered >= 10 and not each.wrong and each.median < 0.3 for each in others)
            assert all(each.unanswered >= 8 for each in report.measured if each.name in ("2", "3"))
            assert report.measured[-1].answered == 0
            assert "10.0.0.6" in report.measured[-1].wrong[0]
            assert undisturbed.measured[2].unanswered == undisturbed.measured[3].unanswered == 0
            assert len(report.lost) == report.unanswered
            assert {each.network for each in report.lost} == {"2", "3", "wrong"}
            assert report.cpu_seconds < 2
        finally:
            hosts.clear()

    def test_what_else_was_late_when_a_probe_was_lost(tmp_path: Path) -> None:
        """Law: a lost probe is told with what a network that nobody touches did at the same time, which counts as a
        control and not as a target.
        """
        with ExitStack() as stack:
            served, calm = (
                stack.enter_context(ServedNetwork(network(number), SETTINGS, tmp_path / f"{number}", aside=aside))
                for number, aside in enumerate((None, "calm"))
            )
            target = Target(name="asked", device=served.bridge, mac=MAC, expected="10.0.0.5")
            control = Target(name="calm", device=calm.bridge, mac=MAC, expected="10.1.0.5", control=True)
            prober = stack.enter_context(Prober([target, control], 0.05))
            time.sleep(0.3)
            served.stop()
            time.sleep(2.2)
            stopping = time.monotonic()
            calm.stop()
            both = time.monotonic()
            time.sleep(2.2)
            alone, together = prober.report(until=stopping - 1.1), prober.report(since=both + 0.1)
        assert [each.name for each in alone.measured] == ["asked"]
        assert [each.name for each in alone.control] == ["calm"]
        assert len(alone.lost) == alone.unanswered >= 10
        assert all(each.controls >= 10 and each.controls_lost == 0 and not each.refused for each in alone.lost)
        assert len(together.lost) == together.unanswered >= 10
        assert all(each.controls_lost >= 1 and each.of_machine for each in together.lost)
        assert f"{together.unanswered} lost: a network that nobody touches was late, too" in str(together)

    def test_a_prober_that_is_held_up_says_so(served: ServedNetwork) -> None:
        """Law: an answer has come when the kernel got it; a probe that is lost while the prober stands still is told
        with that.
        """

        def stand_still(seconds: float) -> None:
            # Nobody else gets the interpreter meanwhile.
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                pass

        known = Target(name="known", device=served.bridge, mac=MAC, expected="10.0.0.5")
        stranger = Target(name="stranger", device=served.bridge, mac=STRANGER, expected="10.0.0.99")
        interval = sys.getswitchinterval()
        with Prober([known, stranger], 0.02) as prober:
            time.sleep(0.5)
            sys.setswitchinterval(5)
            try:
                begun = time.monotonic()
                stand_still(1.2)
            finally:
                sys.setswitchinterval(interval)
            time.sleep(1.2)
            ended = time.monotonic()
        report = prober.report(begun - 0.1, ended)
        answered, lost = report.measured[0], report.lost
        assert report.lateness > 1
        assert answered.unanswered == 0
        assert max(answered.latencies) < 0.9
        assert lost
        assert {each.network for each in lost} == {"stranger"}
        held = [each for each in lost if begun - 0.1 < each.sent < begun + 1]
        assert held
        assert all(each.prober_late > 1 and each.of_machine for each in held)
        assert "the prober itself was late" in str(report)

    def test_a_device_that_goes_and_comes_again(served: ServedNetwork, tmp_path: Path) -> None:
        """Law: the prober lives on without its device, and goes on with the new one."""
        target = Target(name="moves", device=DEVICE, namespace="vm-moves", mac="fa:16:3e:00:00:05", expected="10.0.0.5")
        with ExitStack() as stack:
            with Station("moves", served.bridge, BOOTING, tmp_path / "first"):
                prober = stack.enter_context(Prober([target], 0.02))
                time.sleep(0.3)
                gone = time.monotonic()
            time.sleep(0.3)
            stack.enter_context(Station("moves", served.bridge, BOOTING, tmp_path / "second"))
            came = time.monotonic()
            assert eventually(lambda: prober.report(since=came).measured[0].answered >= 3)
        report = prober.report()
        assert report.measured[0].unanswered >= 5
        assert any("could not send it" in each.verdict for each in report.lost)
        assert 0.25 < report.worst.worst_gap < came - gone + 2

    # -- what a machine asks for afterwards

    @pytest.mark.parametrize("tcp", [False, True], ids=["UDP", "TCP"])
    def test_dns(served: ServedNetwork, station: Station, tcp: bool) -> None:
        """Law: names and addresses of ports, forward and back; names that there are not; and nobody there."""
        with Udhcpc(station) as client:
            client.configuration()
        for kind, address in (("A", "10.0.0.7"), ("AAAA", "fd00::7")):
            answer = dns.query("10.0.0.2", "front.example.org", kind, namespace=station.namespace, tcp=tcp)
            assert answer is not None
            assert (answer.code, answer.values) == (dns.NO_ERROR, [address])
            back = dns.reverse("10.0.0.2", address, namespace=station.namespace, tcp=tcp)
            assert back is not None
            assert back.values == ["front.example.org"]
        none = dns.query("10.0.0.2", "nobody.example.org", namespace=station.namespace, tcp=tcp)
        assert none is not None
        assert not none.values
        assert none.code != dns.NO_ERROR
        served.stop()
        gone = dns.query("10.0.0.2", "front.example.org", namespace=station.namespace, tcp=tcp, seconds=0.5)
        assert gone is None

    def test_metadata(served: ServedNetwork, station: Station) -> None:
        """Law: a machine reaches the metadata agent through the proxy, by IPv4 and by a link-local IPv6 address, and
        the agent learns the network and the machine's address.
        """
        path = "/latest/meta-data/instance-id"
        with MetadataAgent(served.metadata_socket) as agent:
            with Udhcpc(station) as client:
                client.configuration()
            with pytest.raises(OSError, match="refused"):
                get(METADATA_4, path, namespace=station.namespace)
            served.start_proxy()
            for address, device, own in (
                (METADATA_4, None, "10.0.0.5"),
                (METADATA_6, DEVICE, station.link_local),
            ):
                answer = get(address, path, namespace=station.namespace, device=device, headers={"X-Mine": "1"})
                assert (answer.status, answer.body) == (200, b"i-00000001")
                request = agent.requests[-1]
                assert (request.method, request.path, request.headers["x-mine"]) == ("GET", path, "1")
                assert (request.network_id, request.client) == (served.device.network_id, own)
            assert get(METADATA_4, "/none", namespace=station.namespace).status == 404
            assert len(agent.requests) == 3

else:

    def test_on_a_host_of_its_own(tmp_path: Path) -> None:
        if reason := missing():
            pytest.skip(reason)
        hosts.run_inside(__file__, tmp_path)
