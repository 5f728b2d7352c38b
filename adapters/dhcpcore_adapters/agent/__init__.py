"""The agent: the loop around the core, its threads, and the process that it is.

`Agent` is the loop's step, without a thread; `Service` is a whole agent on this host, from settings.
"""

from __future__ import annotations

from dhcpcore_adapters.agent.executor import Executor, Lane, ThreadExecutor
from dhcpcore_adapters.agent.loop import Agent
from dhcpcore_adapters.agent.options import AgentOptions

__all__ = ["Agent", "AgentOptions", "Executor", "Lane", "ThreadExecutor"]
