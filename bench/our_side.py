"""Our figures, over the same networks as the stock side's; times in seconds, memory in bytes.

Prints one JSON object: name of the figure to a list of values.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import workload
from dhcpcore import (
    ActionSucceeded,
    AgentState,
    PlanStarted,
    Settings,
    fold_event,
    initial_state,
    instance_views,
    parse_event,
    parse_network,
    plan_sync,
    render_files,
    render_initial_leases,
)
from dhcpcore.actions import ObserveHost, ReportState
from dhcpcore.events import FetchedNetworks, ResyncRequested
from dhcpcore.model.network import Network
from dhcpcore.observed import ObservedHost

SETTINGS = Settings(host=workload.HOST)
KEPT: list[Any] = []


def timed(repeat: int, prepare: Callable[[], Any], run: Callable[[Any], Any]) -> list[float]:
    """Times of `repeat` runs, after one that is not counted (templates, caches, imports)."""
    times = []
    for _ in range(repeat + 1):
        prepared = prepare()
        gc.collect()
        began = time.perf_counter()
        run(prepared)
        times.append(time.perf_counter() - began)
    return times[1:]


def own_network(ports: int, number: int = 0) -> dict[str, Any]:
    network_id = workload.network(0, number)["id"]
    return workload.network(ports, number, SETTINGS.dhcp_device_id(network_id, None))


def render_all(network: Network) -> None:
    """All files and the command line, from the model alone."""
    (view,) = instance_views(network)
    render_files(
        view, settings=SETTINGS, interface_name="tapd75ea2b3-11", interface_addresses=("10.0.0.2/8",), bridged=True
    )
    render_initial_leases(view, settings=SETTINGS, previous=None)


def settle(state: AgentState, networks: tuple[Network, ...], now: float) -> AgentState:
    """Carry out plans until there is nothing left to do; the host does as it is told."""
    while plan := plan_sync(state, now):
        state = fold_event(PlanStarted(plan=plan, at=now), state)
        for action in plan:
            result: Any = None
            if isinstance(action, ReportState):
                result = "alive"
            elif isinstance(action, ObserveHost):
                result = ObservedHost()
            elif action.kind == "fetch_networks":
                result = FetchedNetworks(networks=networks)
            state = fold_event(ActionSucceeded(action=action, result=result, at=now), state)
    return fold_event(PlanStarted(plan=plan_sync(state, now), at=now), state)


def serving(networks: tuple[Network, ...]) -> AgentState:
    return settle(initial_state(SETTINGS), networks, 0.0)


def one_update(state: AgentState, wire: dict[str, Any]) -> Callable[[Any], None]:
    """A port_update: from the payload to a plan whose texts are ready."""
    changed = json.loads(json.dumps(wire["ports"][len(wire["ports"]) // 2]))
    changed["fixed_ips"][0]["ip_address"] = "10.200.0.7"
    changed["revision_number"] += 1

    def run(_: Any) -> None:
        event = parse_event("port_update_end", {"port": changed}, at=1.0)
        plan = plan_sync(fold_event(event, state), 1.0)
        (reload,) = plan.actions
        assert "10.200.0.7" in reload.spec.host  # type: ignore[attr-defined]

    return run


def unchanged_sync(state: AgentState, texts: list[str]) -> tuple[Any, Callable[[Any], None]]:
    def prepare() -> Any:
        asked = fold_event(ResyncRequested(reason="bench", at=20.0), state)
        plan = plan_sync(asked, 20.0)
        (fetch,) = plan.actions
        networks = tuple(parse_network(json.loads(text)) for text in texts)
        return fold_event(PlanStarted(plan=plan, at=20.0), asked), fetch, networks

    def run(prepared: Any) -> None:
        asked, fetch, networks = prepared
        answered = fold_event(ActionSucceeded(action=fetch, result=FetchedNetworks(networks=networks), at=20.0), asked)
        assert not plan_sync(answered, 20.0)

    return prepare, run


def memory_per_port(ports: int) -> float:
    """State of a served network: models, index, texts and reusable lines together."""
    text = json.dumps(own_network(ports))
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    state = serving((parse_network(json.loads(text)),))
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    KEPT.append(state)
    return (after - before) / ports


def event_among(count: int, repeat: int) -> list[float]:
    """One event's fold and plan in a state with `count` networks of 2 ports."""
    wires = [own_network(2, number) for number in range(count)]
    state = serving(tuple(parse_network(wire) for wire in wires))
    port = parse_network(wires[count // 2]).ports[1]
    subnet_id = port.fixed_ips[0].subnet_id
    payload = {"port": workload.port(4, count // 2) | {"id": port.id, "mac_address": port.mac_address}}
    payload["port"]["fixed_ips"] = [{"subnet_id": subnet_id, "ip_address": "10.200.0.7"}]
    payload["port"]["revision_number"] = 9
    event = parse_event("port_update_end", payload, at=1.0)

    def run(_: Any) -> None:
        assert plan_sync(fold_event(event, state), 1.0)

    return timed(repeat * 20, lambda: None, run)


def main() -> int:
    task = json.load(sys.stdin)
    repeat = task["repeat"]
    figures: dict[str, list[float]] = {}
    for ports in task["sizes"]:
        load = partial(json.loads, json.dumps(own_network(ports)))
        figures[f"model/{ports}"] = timed(repeat, load, parse_network)
        figures[f"render/{ports}"] = timed(repeat, partial(parse_network, load()), render_all)
    wire = own_network(task["update_size"])
    state = serving((parse_network(wire),))
    figures["update"] = timed(repeat, lambda: None, one_update(state, wire))
    del state
    texts = [json.dumps(own_network(20, number)) for number in range(task["networks"])]
    whole = serving(tuple(parse_network(json.loads(text)) for text in texts))
    figures["sync"] = timed(repeat, *unchanged_sync(whole, texts))
    del whole
    for count in task["fleet"]:
        figures[f"event/{count}"] = event_among(count, repeat)
    figures["memory"] = [memory_per_port(task["update_size"])]
    json.dump(figures, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
