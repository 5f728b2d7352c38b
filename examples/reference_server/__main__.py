"""Starts the server: python -m reference_server --database FILE.

When it listens it says so with one line of JSON on stdout, ``{"listening": "http://127.0.0.1:9696"}``.  SIGTERM and
SIGINT end it.  Exit code 2: it could not be started, stderr says why.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys

from reference_server.options import OptionError, Options, read_token
from reference_server.schema import DatabaseError
from reference_server.server import ReferenceServer


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="reference_server", description="A Neutron-shaped server over SQLite.")
    parser.add_argument("--database", required=True, metavar="FILE", help="SQLite file; it is made where there is none")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--listen", default="127.0.0.1:9696", metavar="HOST:PORT", help="port 0: any that is free")
    where.add_argument("--unix", metavar="PATH", help="a unix socket instead")
    parser.add_argument("--token-file", metavar="FILE", help="requests must carry the token in it")
    parser.add_argument("--agent-down-time", type=float, default=75.0, metavar="SECONDS")
    parser.add_argument("--dhcp-agents-per-network", type=int, default=1, metavar="N")
    parser.add_argument("--no-auto-schedule", action="store_true", help="give networks to agents by hand only")
    parser.add_argument("--no-failover", action="store_true", help="leave networks of dead agents where they are")
    parser.add_argument("--dns-domain", default="openstacklocal", metavar="NAME", help="of ports' names")
    parser.add_argument("--mtu", type=int, default=1500, metavar="BYTES", help="of networks that ask for none")
    parser.add_argument(
        "--segment-hosts",
        action="append",
        default=[],
        metavar="PHYSNET=HOST,HOST",
        help="hosts connected to a physical network; without any, every host is connected to every one",
    )
    given = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    try:
        server = ReferenceServer(
            Options(
                database=given.database,
                listen=given.listen,
                unix=given.unix,
                token=None if given.token_file is None else read_token(given.token_file),
                agent_down_time=given.agent_down_time,
                dhcp_agents_per_network=given.dhcp_agents_per_network,
                network_auto_schedule=not given.no_auto_schedule,
                allow_automatic_dhcp_failover=not given.no_failover,
                dns_domain=given.dns_domain,
                mtu=given.mtu,
                segment_hosts=dict(_mapping(each) for each in given.segment_hosts),
            )
        )
    except (OptionError, DatabaseError, ValueError) as error:
        print(f"reference_server: {error}", file=sys.stderr)
        return 2
    print(json.dumps({"listening": server.url}), flush=True)
    server.run()
    return 0


def _mapping(text: str) -> tuple[str, tuple[str, ...]]:
    name, equals, hosts = text.partition("=")
    if not name or not equals:
        raise OptionError(f"--segment-hosts {text}: expected PHYSNET=HOST,HOST")
    return name, tuple(host for host in hosts.split(",") if host)


if __name__ == "__main__":
    sys.exit(main())
