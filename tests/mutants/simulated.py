"""Bugs of loop, fold, plan and recipes that only a whole agent shows: found by the simulation's fixed share."""

from __future__ import annotations

from typing import Final

from mutants.mutant import Edit, Mutant, edit

_LOOP: Final = "adapters/dhcpcore_adapters/agent/loop.py"
_APPLY: Final = "adapters/dhcpcore_adapters/apply.py"
_NETWORK: Final = "plan/network.py"
_OUTCOMES: Final = "state/outcomes.py"


def _found(name: str, brings_back: str, edits: tuple[Edit, ...], share: int = 0, museum: str = "RACE") -> Mutant:
    return Mutant(
        name=name,
        bugs=(),
        museum=(museum,),
        brings_back=brings_back,
        edits=edits,
        killer=f"tests/simulation/test_simulation.py::test_the_laws_hold[{share}]",
        fails_with="BrokenLaw",
    )


def _loop(old: str, new: str) -> tuple[Edit, ...]:
    return (Edit(path=_LOOP, old=old, new=new),)


def _apply(old: str, new: str) -> tuple[Edit, ...]:
    return (Edit(path=_APPLY, old=old, new=new),)


SIMULATED: Final[tuple[Mutant, ...]] = (
    # -- the loop
    _found(
        "started-plans-are-not-folded",
        "what runs already is planned again",
        _loop("        self._fold(PlanStarted(plan=plan, at=now))\n", ""),
    ),
    _found(
        "a-new-connection-asks-nothing",
        "what the server told while the line was cut is never learnt",
        _loop("self.put(ServerConnected(at=self._adapters.clock.monotonic()))", "return"),
        museum="RPC",
    ),
    _found(
        "heartbeats-in-the-hosts-lane",
        "a hung call on the host keeps the state report back, and the server takes the agent for dead",
        _loop('        return "report"\n', '        return "host"\n'),
        museum="RPC",
    ),
    _found(
        "nobody-watches-processes",
        "a dnsmasq that died is missed until the next audit",
        _loop("            self._observe(event)\n", "            pass\n"),
        museum="PROC",
    ),
    _found(
        "the-loop-sleeps-for-ever",
        "what is due later without news is never looked at",
        _loop(
            "        return None if due is None else max(0.0, due - self._adapters.clock.monotonic())\n",
            "        return None\n",
        ),
        museum="RESYNC",
    ),
    # -- carrying out
    _found(
        "skipped-actions-are-not-told",
        "the rest of a chain that failed stays under way for ever",
        _apply("                self.tell(skipped(action, at=now()))\n", ""),
    ),
    _found(
        "actions-of-one-network-at-the-same-time",
        "two actions of one network run side by side",
        _apply("by_scope.setdefault(action.scope, [])", 'by_scope.setdefault(f"{len(by_scope)}", [])'),
    ),
    # -- recipes
    _found(
        "no-dirty-mark",
        "an agent killed between writing and SIGHUP leaves dnsmasq stale for ever",
        edit("recipes/instance.py", '    yield Call("files", "write", (mark, removed))\n', ""),
        share=2,
        museum="PROC",
    ),
    _found(
        "the-dirty-mark-goes-too-early",
        "an agent killed between the mark's removal and SIGHUP leaves dnsmasq stale for ever",
        edit(
            "recipes/instance.py",
            '    yield Call("processes", "reload_dnsmasq", (spec.key,))\n    if not removed:\n',
            '    yield Call("files", "remove", (f"{spec.directory}/{DIRTY_MARK}",))\n'
            '    yield Call("processes", "reload_dnsmasq", (spec.key,))\n    if not removed:\n',
        ),
        share=2,
        museum="PROC",
    ),
    _found(
        "released-before-the-reload",
        "a lease is released that dnsmasq still serves, and gives out again at once",
        edit(
            "recipes/instance.py",
            '    yield Call("processes", "reload_dnsmasq", (spec.key,))\n',
            '    yield from _release(spec, removed)\n    yield Call("processes", "reload_dnsmasq", (spec.key,))\n',
        ),
        museum="LEASE",
    ),
    _found(
        "a-restart-forgets-leases",
        "dnsmasq starts with none of the leases that its clients hold",
        edit(
            "recipes/instance.py",
            '        yield Call("files", "write", (leases, text))\n',
            '        yield Call("files", "write", (leases, text and ""))\n',
        ),
        museum="LEASE",
    ),
    _found(
        "a-restart-keeps-what-moved",
        "an IPv6 address stays the lease of the port that had it, and dnsmasq refuses it to the one that has it now",
        edit("recipes/instance.py", "previous=previous, removed=removed,", "previous=previous,"),
        share=1,
        museum="LEASE",
    ),
    # -- folding
    _found(
        "answers-win-over-later-events",
        "a slow answer undoes what was told since it was asked for",
        edit("state/answers.py", "p.id not in told and state.recent.get(p.id, -1) > sent_seq", "False"),
    ),
    _found(
        "deleted-ports-come-back",
        "a late create brings a deleted port back",
        edit("state/notifications.py", "    if port.id in state.tombstones:\n        return state\n", ""),
    ),
    _found(
        "no-brake",
        "an empty answer takes every network down",
        edit(
            "state/missing.py",
            "    return _brake(state, losing, listed, at)\n",
            "    return evolve(_drop(state, losing), brake=None)\n",
        ),
        museum="RESYNC",
    ),
    _found(
        "a-new-connection-reloads-everything",
        "every network is written and reloaded when the server comes back",
        edit(
            "state/fold.py",
            '    return need_full_fetch(state, "connected to the server")\n',
            "    for record in state.networks.values():\n"
            "        served = {key: evolve(each, dirty=True) for key, each in record.served.items()}\n"
            "        state = put(state, evolve(record, served=record.served.update(served)))\n"
            '    return need_full_fetch(state, "connected to the server")\n',
        ),
        museum="RESYNC",
    ),
    _found(
        "a-paced-reload-is-forgotten",
        "a reload that had to wait for its time never comes",
        edit(_OUTCOMES, "    for network_id in plan.paced:\n", "    for network_id in ():\n"),
        museum="HUP",
    ),
    _found(
        "deaths-are-not-folded",
        "a dnsmasq that died is missed until the next audit",
        edit(
            "state/deaths.py",
            "    if served is None or not served.alive or _another(event.pid, served.pid):\n",
            "    if True:\n",
        ),
        museum="PROC",
    ),
    _found(
        "a-failed-sync-is-not-repeated",
        "after one lost answer the agent never learns its networks",
        edit(
            _OUTCOMES,
            'need_full_fetch(evolve(state, sync=evolve(state.sync, retry=retry)), "the last sync failed")',
            "evolve(state, sync=evolve(state.sync, retry=retry, need=None))",
        ),
        share=3,
        museum="RESYNC",
    ),
    # -- planning
    _found(
        "ready-before-it-is-loaded",
        "a port is reported that dnsmasq has not loaded",
        edit(
            "plan/__init__.py",
            "        if needs.settled:\n            settled.append(network_id)\n",
            "        if record.served:\n            ready.update(served_ports(record))\n"
            "        if needs.settled:\n            settled.append(network_id)\n",
        ),
        museum="READY",
    ),
    _found(
        "claims-do-not-wait-for-the-answer",
        "a DHCP port is claimed while the answer that tells of it is on its way: two ports",
        edit(
            _NETWORK,
            '    settled = record.need is None and f"fetch:{record.id}" not in state.in_flight\n',
            "    settled = True\n",
        ),
        share=2,
        museum="PORT",
    ),
)
