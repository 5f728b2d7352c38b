"""Several segments of a network on one host: their dnsmasq, real ones, beside each other in the network's namespace."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve

pytest.importorskip("pyroute2", reason="needs the extra 'agent'")

from dhcpcore import InstanceSpec, Network, Segment, Settings
from dhcpcore.plan.dhcp_port import device_id
from dhcpcore.render.instance import render_instance
from dhcpcore.render.views import instance_views
from dhcpcore_adapters.netns import NetnsControl, within
from support.namespace import found
from support.own_host import in_own_host
from support.script import dhcp_port, port, subnet

pytestmark = pytest.mark.skipif(
    found("dnsmasq") is None or found("setpriv") is None,
    reason="there is no dnsmasq or no setpriv here: apt-get install dnsmasq-base util-linux",
)

#: version.bind, TXT, class CHAOS
QUESTION: Final = b"\0\1\1\0\0\1\0\0\0\0\0\0\7version\4bind\0\0\x10\0\3"


def specs(folder: str, metadata: bool) -> list[InstanceSpec]:
    """Instances of two segments, as they are to run."""
    config = Path(folder, "dnsmasq.conf")
    config.write_text("user=root\ngroup=\n")  # the one user that there is in a user namespace
    settings = Settings(
        host="host-1", state_path=folder, dnsmasq_config_file=str(config), enable_isolated_metadata=metadata
    )
    network = Network(
        id="net",
        segments=tuple(Segment(id=f"g{tag}", segmentation_id=tag) for tag in (1, 2)),
        subnets=tuple(
            each
            for tag in (1, 2)
            for each in (
                subnet(number=tag, segment_id=f"g{tag}"),
                subnet(number=tag + 10, segment_id=f"g{tag}", cidr=f"fd00:{tag}::/64", ip_version=6, gateway_ip=None,
                       ipv6_address_mode="dhcpv6-stateful", ipv6_ra_mode="dhcpv6-stateful"),
            )
        ),
        ports=(port(5),),
        mtu=1400,
    )  # fmt: skip
    made = []
    for view in instance_views(network):
        tag = view.key.segmentation
        own = dhcp_port(
            settings, segmentation=tag, id=f"{tag}1111111-1111-4000-8000-000000000000",
            mac_address=f"fa:16:3e:00:00:0{tag}", device_id=device_id(settings, view.key),
            fixed_ips=tuple(evolve(ip, subnet_id=each.id, ip_address=str(each.range[2]))
                            for each in view.subnets for ip in port(1).fixed_ips),
        )  # fmt: skip
        made.append(render_instance(view, dhcp_port=own, settings=settings, shared=True))
        Path(made[-1].directory).mkdir(parents=True)
        for name in ("host", "addn_hosts", "opts"):
            Path(made[-1].directory, name).write_text(getattr(made[-1], name))
    return made


@contextlib.contextmanager
def running(spec: InstanceSpec, argv: tuple[str, ...]) -> Iterator[subprocess.Popen[str]]:
    """The instance's dnsmasq; it ends with this, and with whoever started it."""
    namespace = ["ip", "netns", "exec", spec.device.namespace, "setpriv", "--pdeathsig", "KILL"]
    process = subprocess.Popen(
        [*namespace, *filter(None, argv), "--keep-in-foreground"], stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 10
        pid_file = Path(spec.directory, "pid")
        while process.poll() is None and not (pid_file.exists() and pid_file.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def asked(spec: InstanceSpec) -> list[str]:
    """Addresses of the instance on which somebody answers."""
    answering = []
    for text in spec.device.addresses:
        address = text.partition("/")[0]
        if address.startswith("fe80:"):
            continue

        def ask(address: str = address) -> bool:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as asking:
                asking.settimeout(2)
                asking.connect((address, 53))
                try:
                    asking.send(QUESTION)
                    return bool(asking.recv(500))
                except (TimeoutError, ConnectionRefusedError):
                    return False

        if within(f"/run/netns/{spec.device.namespace}", ask):
            answering.append(address)
    return answering


@in_own_host
def test_segments_are_served_beside_each_other() -> None:
    """Each is asked on its own addresses; with the metadata address, which both devices have."""
    for metadata in (False, True):
        control = NetnsControl()
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            both = specs(folder, metadata)
            for spec in both:
                assert ("169.254.169.254/32" in spec.device.addresses) is metadata
                control.ensure_device(spec.device)
                process = stack.enter_context(running(spec, spec.argv))
                assert process.poll() is None
            wanted = [["10.1.0.2", "fd00:1::2"], ["10.2.0.2", "fd00:2::2"]]
            deadline = time.monotonic() + 20  # IPv6 addresses are bound once nobody else was found to have them
            while (found_there := [asked(spec) for spec in both]) != wanted:
                assert time.monotonic() < deadline, found_there
                time.sleep(0.1)
            for spec in both:
                control.ensure_device(spec.device)
            assert [asked(spec) for spec in both] == wanted
        control.remove_namespace(both[0].device.namespace)


@in_own_host
def test_without_that_the_second_does_not_start() -> None:
    """What the difference `namespace-shared` is for: with Neutron's command line only one segment is served."""
    control = NetnsControl()
    with tempfile.TemporaryDirectory() as folder:
        one, other = specs(folder, metadata=False)
        control.ensure_device(one.device)
        control.ensure_device(other.device)
        first, second = (tuple(each for each in spec.argv if "interface=" not in each) for spec in (one, other))
        with running(one, first), running(other, second) as process:
            assert process.wait(10) == 2
            assert process.stderr is not None
            assert "Address already in use" in process.stderr.read()


@in_own_host
def test_a_device_that_gets_company_changes_its_label() -> None:
    """One that served alone has the metadata address under its own name: dnsmasq would bind it there."""
    control = NetnsControl()
    with tempfile.TemporaryDirectory() as folder:
        one, other = specs(folder, metadata=True)
        control.ensure_device(evolve(one.device, shared=False))
        with running(one, one.argv):
            assert "169.254.169.254" in asked(one)
        for spec in (one, other):
            control.ensure_device(spec.device)
        with running(one, one.argv), running(other, other.argv) as second:
            assert second.poll() is None
            assert "169.254.169.254" not in asked(one)
