"""What would an agent do, and why?  Two verbs, and no server or host in sight.

    python examples/plan_a_sync.py

An agent is assumed that serves the networks of data/served.json.  First the server answers a full sync with those of
data/wanted.json; then, to the agent as it was, it tells of one deleted port.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dhcpcore import (
    assume_served,
    fold_event,
    parse_event,
    parse_networks,
    plan_difference,
    plan_sync,
    plan_to_json,
    settings_of_host,
)

DATA = Path(__file__).parent / "data"


def read(name: str) -> Any:
    return json.loads((DATA / name).read_text("utf-8"))


def main() -> None:
    served, _ = parse_networks(read("served.json"))
    wanted, _ = parse_networks(read("wanted.json"))
    settings = settings_of_host(read("settings.json")).settings

    print("A full sync:\n")
    for line in plan_difference(served, wanted, settings).lines():
        print(line)

    print("\nOne notification, told to the state and made into a plan:\n")
    state = assume_served(served, settings)
    port = served[0].ports[1]
    event = parse_event("port_delete_end", {"port_id": port.id, "network_id": port.network_id}, at=1.0)
    state = fold_event(event, state)
    plan = plan_sync(state, now=1.0)
    for action in plan_to_json(plan)["actions"]:
        print(f"{action['kind']} {action['network']}: {', '.join(action['reasons'])}")


if __name__ == "__main__":
    main()
