"""Networks without a router: metadata comes through their own proxy; and two of them may have the same addresses."""

from __future__ import annotations

import json
from functools import partial
from typing import Final

from demo.machines import Machine
from demo.stage import Stage
from demo.steps.step import Step
from demo.waiting import NotSo, Stopwatch, expect, until

_METADATA: Final = "http://169.254.169.254/latest/meta-data/"
_ADDRESS: Final = "10.9.0.5"
_TWINS: Final = {"red": "max", "blue": "mia"}


def twins(stage: Stage) -> str:
    watch = Stopwatch()
    for network, name in _TWINS.items():
        stage.network(network)
        stage.subnet(network, "10.9.0.0/24", gateway_ip=None)
        stage.machine(stage.port(network, name, _ADDRESS))
    served = str(watch)
    for name in _TWINS.values():
        expect(f"the address of {name}", stage.start_client(name).lease().address, _ADDRESS)
    pids = [stage.dnsmasq(network).pid for network in _TWINS]
    return f"both served after {served}, by processes {pids[0]} and {pids[1]}; a machine on each has {_ADDRESS}"


def metadata(stage: Stage) -> str:
    times = []
    for network, name in _TWINS.items():
        ident = stage.id_of(network)
        route = ("169.254.169.254/32", stage.server_address(network))
        if route not in stage.clients[name].lease().routes:
            raise NotSo(f"{name} was given no route to the metadata address")
        until(f"{name} reaches the metadata address", partial(_answers, stage.machines[name]))
        watch = Stopwatch()
        asked = json.loads(stage.machines[name].fetch(_METADATA))
        times.append(str(watch))
        expect(f"who asks, when {name} does", asked, {"network": ident, "address": _ADDRESS})
    return f"haproxy at 169.254.169.254 names red's id for max, blue's for mia, though both are {_ADDRESS}; " + (
        " and ".join(times)
    )


def _answers(machine: Machine) -> bool:
    """Whether anybody listens there: the proxy is started beside dnsmasq, and no port waits for it."""
    try:
        return bool(machine.fetch(_METADATA))
    except OSError:
        return False


STEPS: Final = (
    Step(what="Two isolated networks share their addresses", run=twins),
    Step(what="Metadata answers by network, not by address", run=metadata, needs_metadata=True),
)
