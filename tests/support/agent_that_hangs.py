"""`dhcpcore agent`, whole, whose loop stands still once a file is there; all its threads live on.

python -m support.agent_that_hangs FILE agent --config ...
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from dhcpcore_adapters.agent.loop import Agent
from dhcpcore_adapters.cli import main


class HangingAgent(Agent):
    """Its next step after the file has come does not end."""

    def step(self) -> float | None:
        while Path(sys.argv[1]).exists():
            time.sleep(0.1)
        return super().step()


if __name__ == "__main__":
    from dhcpcore_adapters.agent import service

    vars(service)["Agent"] = HangingAgent
    sys.exit(main(sys.argv[2:]))
