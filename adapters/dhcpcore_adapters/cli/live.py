"""The live host and server, for commands that are no agent: adapters as an agent has them, a connection, a lock."""

from __future__ import annotations

import argparse
import errno
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from attrs import frozen

from dhcpcore import DhcpCoreError, HostCapabilities, Settings
from dhcpcore_adapters.apply import Adapters
from dhcpcore_adapters.cli.errors import CommandError
from dhcpcore_adapters.cli.extras import needs_extra
from dhcpcore_adapters.cli.sources import sources_of
from dhcpcore_adapters.cli.terminal import Terminal


@frozen(kw_only=True)
class Live:
    """What commands work with."""

    adapters: Adapters
    settings: Settings
    capabilities: HostCapabilities


@contextmanager
def live(options: argparse.Namespace, terminal: Terminal, *, exclusive: bool) -> Iterator[Live]:
    """The host and the server that the command line's settings tell of.

    Args:
        exclusive: hold the agent's lock meanwhile; refuse where an agent runs.

    Raises:
        CommandError: they cannot be had.
    """
    with needs_extra("agent"):
        from dhcpcore_adapters.agent.build import build_adapters, build_driver, build_transport, host_capabilities
        from dhcpcore_adapters.agent.lock import AgentLock, AlreadyRuns, refuse_stock_agent
        from dhcpcore_adapters.process import probe_dnsmasq
        from dhcpcore_adapters.rpc import start_calls
    settings, agent_options, notes = sources_of(options).read_for_server()
    for note in notes:
        terminal.say(note)
    with ExitStack() as stack:
        try:
            reporter = _Bugs(terminal)
            transport = build_transport(settings, agent_options, reporter=reporter)
            stack.callback(transport.close)
            driver = build_driver(settings, agent_options)
            capabilities = host_capabilities(probe_dnsmasq(), driver)
            if exclusive:
                refuse_stock_agent(settings.state_path)
                lock = AgentLock(agent_options.place(agent_options.lock_file, settings))
                stack.callback(lock.close)
        except AlreadyRuns as error:
            raise CommandError([f"{error}; an agent that runs is told to look again by `dhcpcore sync`"]) from None
        except DhcpCoreError as error:
            raise CommandError([str(error)]) from None
        except OSError as error:
            forbidden = error.errno in (errno.EACCES, errno.EPERM)
            advice = "run this as root" if forbidden else "choose another state_path, or free space"
            raise CommandError([f"{error.filename or 'the lock'}: {error.strerror}; {advice}"]) from None
        adapters = build_adapters(settings, agent_options, transport=transport, driver=driver, reporter=reporter)
        start_calls(transport)
        yield Live(adapters=adapters, settings=settings, capabilities=capabilities)


class _Bugs:
    """Of what adapters report only their bugs are told: outcomes are what the command itself tells."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def report(self, message: str, /, **fields: object) -> None:
        if "traceback" in fields:
            self._terminal.say(f"{message}: {fields.get('call')}: {fields['error']}; please report it")
