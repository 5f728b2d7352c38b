"""Use an installed dhcpcore as a stranger would: import all of its front door, render one network by its command line.

    python -I smoke.py ENVIRONMENT

Exits with a message that names what is wrong. Knows nothing of the checkout.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

NETWORK = {
    "id": "net-1",
    "tenant_id": "p",
    "mtu": 1500,
    "admin_state_up": True,
    "segments": [],
    "non_local_subnets": [],
    "subnets": [
        {
            "id": "sub-1",
            "network_id": "net-1",
            "name": "",
            "enable_dhcp": True,
            "ip_version": 4,
            "cidr": "10.0.0.0/24",
            "gateway_ip": "10.0.0.1",
            "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.254"}],
            "dns_nameservers": [],
            "host_routes": [],
            "ipv6_ra_mode": None,
            "ipv6_address_mode": None,
            "segment_id": None,
        }
    ],
    "ports": [
        {
            "id": "port-1",
            "network_id": "net-1",
            "mac_address": "fa:16:3e:00:00:01",
            "admin_state_up": True,
            "device_id": "vm",
            "device_owner": "compute:nova",
            "fixed_ips": [{"subnet_id": "sub-1", "ip_address": "10.0.0.11"}],
            "extra_dhcp_opts": [],
            "dns_assignment": [],
        }
    ],
}


def main(environment: Path) -> str | None:
    import dhcpcore
    import dhcpcore_adapters

    for package in (dhcpcore, dhcpcore_adapters):
        if not Path(str(package.__file__)).is_relative_to(environment):
            return f"{package.__name__} was imported from {package.__file__}, not from {environment}"
    front_door = vars(dhcpcore)["__all__"]
    for name in front_door:
        getattr(dhcpcore, name)

    request = json.dumps({"network": NETWORK, "interface_addresses": ["10.0.0.2/24"]})
    ran = subprocess.run(
        [environment / "bin" / "dhcpcore", "render", "--jsonl"],
        input=request + "\nnot json\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    if ran.returncode != 0 or ran.stderr:
        return f"dhcpcore render --jsonl: exit status {ran.returncode}\n{ran.stderr}"
    answer, refusal = map(json.loads, ran.stdout.splitlines())
    if "fa:16:3e:00:00:01" not in answer.get("host", "") or answer.get("argv", [""])[0] != "dnsmasq":
        return f"dhcpcore render --jsonl answered {answer}"
    if "error" not in refusal:
        return f"dhcpcore render --jsonl took malformed JSON and answered {refusal}"
    print(f"{len(front_door)} names; one network rendered: {answer['host'].strip()}")
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
