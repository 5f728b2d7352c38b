"""Ports of an Open vSwitch bridge, as its database has them (ovs-vswitchd.conf.db(5)).

Knows tables and columns, and that a change is made twice: in the database, and then by ovs-vswitchd, which says when it
is through.  Knows nothing of devices or namespaces.  Everything may raise an AdapterError of `ovsdb`.

A port has one row of the table Port and one of Interface, both of its name.  VLAN tag, VLAN mode and other_config are
the L2 agent's, and are written when a port is made, never later.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import frozen

from dhcpcore import AdapterError
from dhcpcore_adapters.netns.ovsdb import Answer, Operation, Ovsdb, Refused, as_map, as_set, mapping, some

#: What a port has until the L2 agent gives it a VLAN (Neutron: DEAD_VLAN_TAG). The tag alone keeps nothing away: a port
#: with it would reach others that have it, so it is a trunk of nothing but that VLAN (Launchpad 1930414).
DEAD: Final[Mapping[str, Any]] = {"tag": 4095, "vlan_mode": "trunk", "trunks": 4095}
_BUMP: Final = {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]}
_ASKED: Final = {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["next_cfg"]}
_DONE: Final = {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["cur_cfg"]}


@frozen(kw_only=True)
class OvsPort:
    """A port, with its one interface.

    Attributes:
        row: UUID of its row in Port.
        bridge: the name of its bridge.
        kind: of its interface: ``internal``, or empty for a device that somebody else made.
        told: external_ids of its interface.
        number: OpenFlow's number for it; -1: ovs-vswitchd could not open the device; None: it has not yet seen it.
        error: why it could not.
    """

    name: str
    row: str
    bridge: str
    kind: str
    told: Mapping[str, str]
    number: int | None
    error: str


class OvsPorts:
    """The ports, over one connection.

    Args:
        bridge: the bridge that ports are added to.
        patience: seconds that ovs-vswitchd may take for a change.
    """

    def __init__(self, database: Ovsdb, bridge: str, patience: float) -> None:
        self._database = database
        self._bridge = bridge
        self._patience = patience

    def find(self, names: Iterable[str]) -> dict[str, OvsPort]:
        """Those of these names, on whatever bridge they are."""
        wanted = list(dict.fromkeys(names))
        asked: list[Operation] = []
        for name in wanted:
            where = [["name", "==", name]]
            asked.append(_select("Port", where, "_uuid", "name"))
            asked.append(_select("Interface", where, "name", "type", "external_ids", "ofport", "error"))
        answers = self._database.transact(*asked) if asked else []
        ports = [row for answer in answers[::2] for row in answer["rows"]]
        return self._joined(ports, [row for answer in answers[1::2] for row in answer["rows"]])

    def owners(self) -> dict[str, Mapping[str, str]]:
        """external_ids of all ports, by the port's name."""
        (answer,) = self._database.transact(_select("Port", [], "name", "external_ids"))
        return {row["name"]: mapping(row["external_ids"]) for row in answer["rows"]}

    def add(self, name: str, kind: str, told: Mapping[str, str], owner: Mapping[str, str]) -> OvsPort:
        """Add a port, out of everybody's reach until the L2 agent wires it, and wait until ovs-vswitchd has it.

        Raises:
            AdapterError: there is no such bridge, or ovs-vswitchd cannot open the device, or does not answer.
        """
        interface = {"name": name, "type": kind, "external_ids": as_map(told)}
        port = {"name": name, "interfaces": ["named-uuid", "interface"], "external_ids": as_map(owner), **DEAD}
        on_bridge = {
            "op": "mutate",
            "table": "Bridge",
            "where": [["name", "==", self._bridge]],
            "mutations": [["ports", "insert", as_set(["named-uuid", "port"])]],
        }
        (changed, *_) = self._change(
            on_bridge,
            {"op": "insert", "table": "Interface", "uuid-name": "interface", "row": interface},
            {"op": "insert", "table": "Port", "uuid-name": "port", "row": port},
        )
        # Rows that nobody refers to do not outlive their transaction.
        added = self.find([name]).get(name) if changed["count"] else None
        if added is None:
            self.require_bridge()
            raise AdapterError(f"port {name} went from Open vSwitch while it was being set up; it will be tried again")
        if added.number is None or added.number < 0:
            raise AdapterError(
                f"Open vSwitch cannot open {name}: {added.error or 'it gives no reason'}; look at the log of "
                "ovs-vswitchd; it will be tried again"
            )
        return added

    def remove(self, port: OvsPort) -> None:
        """Remove a port, on whatever bridge it is, and wait until ovs-vswitchd has let go of its device."""
        reference = as_set(["uuid", port.row])
        self._change(
            {
                "op": "mutate",
                "table": "Bridge",
                "where": [["ports", "includes", reference]],
                "mutations": [["ports", "delete", reference]],
            }
        )

    def tell(self, port: OvsPort, told: Mapping[str, str]) -> None:
        """Set external_ids of the interface; those of other keys stay."""
        mutations = [["external_ids", "delete", as_set(*told)], ["external_ids", "insert", as_map(told)]]
        where = [["name", "==", port.name]]
        self._database.transact({"op": "mutate", "table": "Interface", "where": where, "mutations": mutations})

    def settle(self) -> None:
        """Wait until ovs-vswitchd has done all that was asked of it; where it was restarted, until it is up again."""
        self._change()

    def require_bridge(self) -> None:
        """Make sure that there is one to add to.

        Raises:
            AdapterError: there is none.
        """
        (answer,) = self._database.transact(_select("Bridge", [["name", "==", self._bridge]], "name"))
        if not answer["rows"]:
            raise AdapterError(
                f"Open vSwitch has no bridge {self._bridge}: the L2 agent of this host makes it when it starts "
                "(neutron-openvswitch-agent); if it has another name, set ovs_integration_bridge"
            )

    def _joined(self, ports: list[dict[str, Any]], interfaces: list[dict[str, Any]]) -> dict[str, OvsPort]:
        """The rows of both tables, and the bridges that the ports are on."""
        asked = [_select("Bridge", [["ports", "includes", as_set(row["_uuid"])]], "name") for row in ports]
        answers = self._database.transact(*asked) if asked else []
        bridges = {
            row["name"]: answer["rows"][0]["name"] for row, answer in zip(ports, answers, strict=True) if answer["rows"]
        }
        port_of = {row["name"]: row for row in ports}
        return {
            row["name"]: _port(port_of[row["name"]], row, bridges[row["name"]])
            for row in interfaces
            if row["name"] in bridges
        }

    def _change(self, *operations: Operation) -> list[Answer]:
        """Make a change, and wait until ovs-vswitchd has made it too; the answers to the operations."""
        why = {"op": "comment", "comment": "dhcpcore"}
        *answers, _, asked, _ = self._database.transact(*operations, _BUMP, _ASKED, why)
        self._wait(asked["rows"][0]["next_cfg"])
        return answers

    def _wait(self, asked: int) -> None:
        deadline = time.monotonic() + self._patience
        (answer,) = self._database.transact(_DONE)
        while (done := answer["rows"][0]["cur_cfg"]) < asked:
            left = max(0.0, deadline - time.monotonic())
            # A condition can only be that it is another number.
            other = {
                "op": "wait",
                "table": "Open_vSwitch",
                "where": [],
                "columns": ["cur_cfg"],
                "until": "!=",
                "rows": [{"cur_cfg": done}],
                "timeout": int(left * 1000),
            }
            try:
                (_, answer) = self._database.transact(other, _DONE, wait=left)
            except Refused as error:
                if error.error != "timed out":
                    raise
                raise AdapterError(
                    f"ovs-vswitchd has not taken a change over in {self._patience:g} s: is it running? "
                    "It will be tried again"
                ) from None


def _select(table: str, where: list[Any], *columns: str) -> Operation:
    return {"op": "select", "table": table, "where": where, "columns": list(columns)}


def _port(port: dict[str, Any], interface: dict[str, Any], bridge: str) -> OvsPort:
    number, error = some(interface["ofport"]), some(interface["error"])
    return OvsPort(
        name=port["name"],
        row=port["_uuid"][1],
        bridge=bridge,
        kind="" if interface["type"] == "system" else interface["type"],
        told=mapping(interface["external_ids"]),
        number=number[0] if number else None,
        error=error[0] if error else "",
    )
