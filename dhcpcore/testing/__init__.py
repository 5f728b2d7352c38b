"""A public harness for property tests of agents and adapters; install with ``dhcpcore[testing]``.

- `strategies`: Hypothesis strategies for every noun and event, well-formed, hostile and Neutron-typical.
- `MemoryServer`, `MemoryHost` and their adapters: a simulated world that fulfils every contract, with faults on order.
- `conformance`: the laws of each contract, for anybody's adapter.
- `Interpreter`, `SimulatedAgent`: what each action means; an agent in the simulated world, one step at a time.
- `simulate`, `AgentMachine`: histories of trouble for anybody's agent, by a seed or by Hypothesis, and the laws that
  they must keep; more in `dhcpcore.testing.simulation`.

No part of the pure core, and no user of any real adapter.
"""

from __future__ import annotations

from dhcpcore.testing import strategies
from dhcpcore.testing.agent import SimulatedAgent
from dhcpcore.testing.choices import Choices, SeededChoices
from dhcpcore.testing.clock import MemoryClock
from dhcpcore.testing.conformance import (
    ClockConformance,
    FileStoreConformance,
    NamespaceControlConformance,
    ProcessControlConformance,
    ReporterConformance,
    ServerRpcConformance,
    run_suite,
)
from dhcpcore.testing.faults import Faults, SimulatedCrash
from dhcpcore.testing.generate.flavour import Flavour
from dhcpcore.testing.host import (
    MemoryFileStore,
    MemoryHost,
    MemoryNamespaceControl,
    MemoryProcessControl,
    leaks,
)
from dhcpcore.testing.interpreter import Interpreter
from dhcpcore.testing.machine import AgentMachine
from dhcpcore.testing.reporter import RecordingReporter
from dhcpcore.testing.server import MemoryServer, MemoryServerRpc, Notification
from dhcpcore.testing.simulation import BrokenLaw, SimulatedParts, SteppedAgent, World, reference_agent, simulate

__all__ = [
    "AgentMachine",
    "BrokenLaw",
    "Choices",
    "ClockConformance",
    "Faults",
    "FileStoreConformance",
    "Flavour",
    "Interpreter",
    "MemoryClock",
    "MemoryFileStore",
    "MemoryHost",
    "MemoryNamespaceControl",
    "MemoryProcessControl",
    "MemoryServer",
    "MemoryServerRpc",
    "NamespaceControlConformance",
    "Notification",
    "ProcessControlConformance",
    "RecordingReporter",
    "ReporterConformance",
    "SeededChoices",
    "ServerRpcConformance",
    "SimulatedAgent",
    "SimulatedCrash",
    "SimulatedParts",
    "SteppedAgent",
    "World",
    "leaks",
    "reference_agent",
    "run_suite",
    "simulate",
    "strategies",
]
