"""Whole histories of an agent in a simulated world: messages lost and overtaken, calls that fail, crashes, drift."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dhcpcore.testing import AgentMachine, simulate

TestAgentMachine = AgentMachine.TestCase
TestAgentMachine.settings = settings(stateful_step_count=40)


@given(seed=st.integers(0, 1 << 40))
def test_any_history_followed_by_quiet_and_one_sync_ends_as_the_server_wants_it(seed: int) -> None:
    """From any history, faults and crashes included, the host converges to what the server wants: files loaded,
    command lines, devices, proxies; nothing leaks, no process runs twice, no port is reported that is not served,
    no lease of nobody stays, and an agent restarted then does nothing at all."""
    simulate(seed=seed)
