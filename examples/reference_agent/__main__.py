"""An agent, composed by hand.

Run it in a checkout as ``PYTHONPATH=examples python -m reference_agent unix:///run/server.sock /var/lib/dhcpcore``.

What `dhcpcore agent` does from settings is done here line by line, so that one can see what is needed, leave out what
is not, and put something of one's own in its place: another transport, another interface driver, another process
control.  It has to be root, or in a user namespace with its own network (see `make demo`).  It takes no lock: that no
other agent has this state path is for whoever starts it to see to (`dhcpcore agent` does it itself).
"""

from __future__ import annotations

import logging
import os
import random
import signal
import socket
import sys
import threading

from dhcpcore import HostCapabilities, Settings, initial_state
from dhcpcore_adapters.agent import Agent, ThreadExecutor
from dhcpcore_adapters.agent.deaths import Deaths
from dhcpcore_adapters.apply import Adapters
from dhcpcore_adapters.clock import SystemClock
from dhcpcore_adapters.files import DiskFileStore
from dhcpcore_adapters.netns import BridgeDriver, NetnsControl
from dhcpcore_adapters.process import DeathWatcher, LinuxProcessControl, probe_dnsmasq
from dhcpcore_adapters.reporter import LineFormatter, LoggingReporter
from dhcpcore_adapters.rpc.websocket import WebSocketTransport


def main(url: str, state_path: str) -> None:
    settings = Settings(host=socket.gethostname(), state_path=state_path, interface_driver="bridge")

    # What the agent works with: each of these fulfils a contract of dhcpcore.contracts, and could be yours.
    reporter = LoggingReporter()
    transport = WebSocketTransport(url, settings.host, reporter=reporter)
    adapters = Adapters(
        server=transport.server,
        heartbeat=transport.heartbeat,
        processes=LinuxProcessControl(dhcp_confs=settings.confs_dir, proxy_config_dir=settings.proxy_config_dir),
        namespaces=NetnsControl(BridgeDriver()),
        files=DiskFileStore(),
        clock=SystemClock(),
        reporter=reporter,
    )

    # The loop owns the state; threads carry out what it plans.
    crashed: list[BaseException] = []
    ending = threading.Event()
    executor = ThreadExecutor(host_threads=settings.num_sync_threads, on_crash=crashed.append)
    state = initial_state(settings, HostCapabilities(dnsmasq=probe_dnsmasq()), at=adapters.clock.monotonic())
    agent = Agent(state, adapters, executor, jitter=random.random, observe=lambda event: deaths.observe(event))
    deaths = Deaths(DeathWatcher, tell=agent.put, clock=adapters.clock, reporter=adapters.reporter)

    def end(*_: object) -> None:
        ending.set()
        agent.wake()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)

    transport.start(agent)
    while not ending.is_set() and not crashed:
        agent.wait(agent.step())

    # Every dnsmasq goes on serving; the next start takes them over as they are.
    transport.close()
    executor.close(1.0)
    deaths.close()
    if crashed:
        raise crashed[0]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    main(sys.argv[1], os.path.abspath(sys.argv[2]))
