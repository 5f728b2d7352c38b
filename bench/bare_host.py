"""What any agent has to make on a host, made by a shell script: the least time that it can take.

For each network a namespace, a veth pair, a bridge, an address, a route and a dnsmasq with the command line and the
files that an agent has it run with; nothing is looked at, waited for, or remembered.  Knows ip(8) and dnsmasq(8).
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

_OPTIONS = (
    "--no-hosts --no-resolv --bind-dynamic --conf-file={conf} --dhcp-lease-max=256 --domain=openstacklocal "
    "--dhcp-match=set:ipxe,175 --dhcp-userclass=set:ipxe6,iPXE --local-service "
    "--dhcp-range=set:subnet,10.0.0.0,static,255.255.255.0,86400s --dhcp-option-force=option:mtu,1500"
)


def make(folder: Path, networks: int, ports: int) -> float:
    """Make so many networks; returns the seconds that the script took, its files not counted."""
    conf = folder / "dnsmasq.conf"
    folder.mkdir(parents=True)
    conf.write_text("user=root\ngroup=\n")
    lines = ["set -e", "export PATH=$PATH:/usr/sbin:/sbin"]
    for number in range(networks):
        lines += _network(folder / f"{number}", number, ports, conf)
    script = folder / "script.sh"
    script.write_text("\n".join(lines) + "\n")
    begun = time.monotonic()
    subprocess.run(["sh", str(script)], check=True, timeout=300)
    return time.monotonic() - begun


def _network(folder: Path, number: int, ports: int, conf: Path) -> list[str]:
    folder.mkdir()
    macs = [f"fa:16:3e:{number >> 8:02x}:{number & 255:02x}:{port:02x}" for port in range(ports)]
    names = [f"host-10-0-0-{port + 3}" for port in range(ports)]
    reserved = [
        f"{mac},{name}.openstacklocal,10.0.0.{at + 3}\n" for at, (mac, name) in enumerate(zip(macs, names, strict=True))
    ]
    (folder / "host").write_text("".join(reserved))
    (folder / "addn_hosts").write_text("".join(f"10.0.0.{at + 3}\t{name}\n" for at, name in enumerate(names)))
    (folder / "opts").write_text("tag:subnet,option:router,10.0.0.1\n")
    (folder / "leases").write_text("")
    files = {"pid-file": "pid", "dhcp-hostsfile": "host", "addn-hosts": "addn_hosts"}
    files |= {"dhcp-optsfile": "opts", "dhcp-leasefile": "leases"}
    words = " ".join(f"--{option}={folder / name}" for option, name in files.items())
    space, outer, inner, bridge = f"qdhcp-{number}", f"tap{number}", f"ns-{number}", f"brq{number}"
    outside = [
        f"link add {bridge} type bridge",
        f"link set {bridge} up",
        f"link add {outer} type veth peer name {inner} netns {space}",
        f"link set {outer} master {bridge} up",
    ]
    inside = [
        "link set lo up",
        f"link set {inner} address fa:16:3e:ff:{number >> 8:02x}:{number & 255:02x} mtu 1500 up",
        f"addr add 10.0.0.2/24 brd + dev {inner}",
        f"route replace default via 10.0.0.1 dev {inner}",
    ]
    dnsmasq = f"dnsmasq {words} --interface={inner} --except-interface=lo {_OPTIONS.format(conf=conf)}"
    return [
        f"ip netns add {space}",
        "ip -batch - <<END\n" + "\n".join(outside) + "\nEND",
        f"ip -n {space} -batch - <<END\n" + "\n".join(inside) + "\nEND",
        f"ip netns exec {space} {dnsmasq}",
    ]
