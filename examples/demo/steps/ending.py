"""Networks that go without a trace; and the end of all."""

from __future__ import annotations

from typing import Final

from demo.host import devices, namespaces, processes, traces
from demo.parts import Agent
from demo.stage import Stage
from demo.steps.step import Step
from demo.waiting import NotSo, Stopwatch, expect, until


def _delete(stage: Stage, network: str) -> None:
    """Delete a network with its machines and ports, as a user does."""
    ident = stage.id_of(network)
    for name, machine in list(stage.machines.items()):
        if machine.port["network_id"] == ident:
            machine.remove()
            del stage.machines[name]
            stage.clients.pop(name, None)
    for port in stage.server.request("GET", f"ports?network_id={ident}")["ports"]:
        if port["device_owner"] != "network:dhcp":
            stage.server.delete("port", port["id"])
    stage.server.delete("network", ident)
    del stage.networks[network]


def deleted(stage: Stage) -> str:
    ident = stage.id_of("office")
    before = traces(Agent.state_path, ident)
    others = {network: stage.dnsmasq(network) for network in stage.networks if network != "office"}
    _delete(stage, "office")
    watch = Stopwatch()
    try:
        until("every trace has gone", lambda: not traces(Agent.state_path, ident))
    except NotSo:
        raise NotSo(f"of the deleted network there is still: {', '.join(traces(Agent.state_path, ident))}") from None
    taken = str(watch)
    expect("the processes of the other networks", {network: stage.dnsmasq(network) for network in others}, others)
    return f"{len(before)} processes, namespaces, devices and files gone after {taken}; the other networks untouched"


def all_ended(stage: Stage) -> str:
    watch = Stopwatch()
    for network in list(stage.networks):
        _delete(stage, network)

    def left() -> list[str]:
        running = [f"{one.argv[0]} {one.pid}" for name in ("dnsmasq", "haproxy") for one in processes(name)]
        return [*running, *sorted(namespaces()), *sorted(devices())]

    until("nothing is left", lambda: not left())
    gone = str(watch)
    code, _ = stage.agent.end()
    expect("the agent's exit code", code, 0)
    code, _ = stage.server.end()
    expect("the server's exit code", code, 0)
    check = stage.server.query("PRAGMA integrity_check")
    expect("the database's own check", check, "ok")
    return f"no process, namespace or device left {gone} after the first DELETE; agent and server exit with 0"


STEPS: Final = (
    Step(what="A deleted network goes without a trace", run=deleted),
    Step(what="In the end the host is as it was", run=all_ended),
)
