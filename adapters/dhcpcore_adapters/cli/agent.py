"""``dhcpcore agent``: a DHCP agent in the foreground, until a signal ends it.

Knows how a process says what happens (one line of log each, on stderr) and with which code it ends; everything else is
`dhcpcore_adapters.agent.service`.
"""

from __future__ import annotations

import argparse
import logging
import traceback
from collections.abc import Iterable
from typing import Any, TextIO

from dhcpcore import DhcpCoreError, Settings
from dhcpcore_adapters.agent.options import AgentOptions
from dhcpcore_adapters.cli.errors import FAILED
from dhcpcore_adapters.cli.extras import needs_extra
from dhcpcore_adapters.cli.other_logs import Repeats
from dhcpcore_adapters.cli.sources import Sources, add_source_options, sources_of
from dhcpcore_adapters.cli.terminal import Terminal
from dhcpcore_adapters.reporter import JsonFormatter, LineFormatter, LoggingReporter

_FORMATTERS = {"line": LineFormatter, "json": JsonFormatter}
_LEVELS = ("debug", "info", "warning", "error")

_EPILOG = """\
SIGTERM and SIGINT end it within two seconds and leave every dnsmasq running; SIGHUP reads the settings again.

exit codes: 0 ended by a signal; 1 wrong settings, no dnsmasq, another agent runs, or it could not go on (see the log)

examples:
  dhcpcore agent --config /etc/dhcpcore/agent.toml
  dhcpcore agent --config-file /etc/neutron/neutron.conf --config-file /etc/neutron/dhcp_agent.ini
                                                  in neutron-dhcp-agent's place, on its own files
"""


def add(commands: Any) -> None:
    """Add the command's parser to those of the program."""
    parser = commands.add_parser(
        "agent",
        help="run a DHCP agent on this host",
        description="Serve DHCP for the networks that the server schedules to this host, in the foreground.",
        epilog=_EPILOG,
    )
    add_source_options(parser)
    parser.add_argument("--log-format", choices=tuple(_FORMATTERS), default="line", help="of stderr; default: line")
    parser.add_argument("--log-level", choices=_LEVELS, help="default: info; with the option debug: debug")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Do it; returns the exit code."""
    with needs_extra("agent"):
        from dhcpcore_adapters.agent.service import Service
    sources = sources_of(options)
    settings, agent_options, notes = sources.read_for_server()
    reporter = _reporter(terminal.err, options.log_format, options.log_level or ("debug" if settings.debug else "info"))
    again = _Again(sources, reporter)
    again.tell(notes)
    try:
        service = Service(settings, agent_options, reporter=reporter, read_again=again.read)
        service.run()
    except (DhcpCoreError, OSError) as error:
        _fatal().report("the agent cannot run", error=error)
        return FAILED
    except Exception as error:
        where = "".join(traceback.format_exception(error))
        _fatal().report("the agent ended by a fault of its own, please report it", error=error, traceback=where)
        return FAILED
    return 0


def _fatal() -> LoggingReporter:
    """For what ends the agent: no choice of level silences it."""
    return LoggingReporter(error_level=logging.ERROR)


class _Again:
    """Reads the settings at SIGHUP; each note is told once in a process's life."""

    def __init__(self, sources: Sources, reporter: LoggingReporter) -> None:
        self._sources = sources
        self._reporter = reporter
        self._told: set[str] = set()

    def tell(self, notes: Iterable[str]) -> None:
        for note in notes:
            if note not in self._told:
                self._told.add(note)
                self._reporter.report("about the settings", note=note)

    def read(self) -> tuple[Settings, AgentOptions]:
        settings, options, notes = self._sources.read_for_server()
        self.tell(notes)
        return settings, options


def _reporter(stream: TextIO, form: str, level: str) -> LoggingReporter:
    """A reporter whose log goes to `stream`, beside what other libraries have to warn of."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_FORMATTERS[form]())
    handler.addFilter(Repeats("dhcpcore"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    # py-amqp warns at every clean stop of what the broker says to a channel that is being closed.
    logging.getLogger("amqp").setLevel(logging.ERROR)
    logger = logging.getLogger("dhcpcore")
    logger.setLevel(level.upper())
    return LoggingReporter(logger)
