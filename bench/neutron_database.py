"""Many networks and ports in Neutron's database, as copies of one that was made through the API.

A port takes Neutron a tenth of a second and more, and thousands are needed.  So all rows that belong to a network are
copied: those that hold its id, or the id of something that does, each with new ids.  Knows Neutron's tables only by
what they hold: UUIDs, `standard_attr_id` as the key of `standardattributes`, and addresses that IPAM keeps by subnet.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final
from uuid import uuid4

from support.namespace import found
from support.neutron.control_plane import ControlPlane

#: Every possible number of a virtual network: 100,000 rows that belong to none.
_LEFT_OUT: Final = "ml2_vxlan_allocations"
_NAME: Final = "neutron"
_LINE: Final = re.compile(r"INSERT INTO `(\w+)` \((.*?)\) VALUES \((.*)\);$")
_VALUE: Final = re.compile(r"'(?:[^'\\]|\\.|'')*'|[^,]+")


@dataclass(frozen=True)
class Row:
    """A row; its values are as SQL writes them."""

    table: str
    values: Mapping[str, str]

    def holds(self, values: Iterable[str]) -> bool:
        return not set(values).isdisjoint(self.values.values())

    def insert(self, replaced: Mapping[str, str], attributes: Mapping[str, str]) -> str:
        """The statement for a copy, with other texts and other keys of `standardattributes`."""
        told = []
        for name, value in self.values.items():
            is_key = name == "standard_attr_id" or (self.table, name) == ("standardattributes", "id")
            told.append(attributes[value] if is_key and value in attributes else _other(value, replaced))
        columns = ",".join(f"`{name}`" for name in self.values)
        return f"INSERT INTO `{self.table}` ({columns}) VALUES ({','.join(told)});"


def _other(value: str, replaced: Mapping[str, str]) -> str:
    if value in replaced:
        return replaced[value]
    if value.startswith("'dhcp"):
        # The device id of a DHCP port ends with the network's id.
        head, found_id = value[:-37], f"'{value[-37:]}"
        return head + replaced[found_id][1:] if found_id in replaced else value
    return value


class Copier:
    """Copies what is there when it is made."""

    def __init__(self, server: ControlPlane) -> None:
        self._client = ["--no-defaults", f"--socket={server.mariadb.socket}", "-u", "root"]
        self._rows = self._read()
        keys = [int(row.values["id"]) for row in self._rows if row.table == "standardattributes"]
        # Neutron goes on behind the largest.
        self._next_key = max(keys) + 1
        self._statements: list[str] = []

    def _read(self) -> list[Row]:
        options = ["--no-create-info", "--skip-extended-insert", "--complete-insert", "--compact", "--skip-triggers"]
        dump = [found("mariadb-dump") or "mariadb-dump", *self._client, *options, f"--ignore-table={_NAME}.{_LEFT_OUT}"]
        ran = subprocess.run([*dump, _NAME], capture_output=True, text=True, timeout=120, check=True)
        rows = []
        for line in ran.stdout.splitlines():
            if (match := _LINE.match(line)) is not None:
                names = [name.strip().strip("`") for name in match[2].split(",")]
                rows.append(Row(match[1], dict(zip(names, _VALUE.findall(match[3]), strict=True))))
        return rows

    def copy_port(self, port_id: str, addresses: Sequence[IPv4Address]) -> None:
        """A port on the same network for each of these addresses; its MAC address ends like its address."""
        own = f"'{port_id}'"
        (address,) = [
            row.values["ip_address"] for row in self._rows if row.table == "ipallocations" and row.holds([own])
        ]
        rows = self._with_attributes(
            row for row in self._rows if row.holds([own]) or (row.table == "ipamallocations" and row.holds([address]))
        )
        (mac,) = [row.values["mac_address"] for row in rows if row.table == "ports"]
        for new in addresses:
            other = f"{mac[:9]}:{new.packed[1]:02x}:{new.packed[2]:02x}:{new.packed[3]:02x}'"
            self._copy(rows, {own: f"'{uuid4()}'", address: f"'{new}'", mac: other})

    def copy_network(self, network_id: str, number: int) -> list[str]:
        """So many networks like this one, with all that is on it; their ids."""
        own = f"'{network_id}'"
        ids = {own}
        while True:
            belonging = [row for row in self._rows if row.holds(ids)]
            known = ids | {row.values["id"] for row in belonging if row.values.get("id", "").startswith("'")}
            if known == ids:
                break
            ids = known
        rows = self._with_attributes(belonging)
        made = []
        for _ in range(number):
            replaced = {each: f"'{uuid4()}'" for each in ids}
            self._copy(rows, replaced)
            made.append(replaced[own].strip("'"))
        return made

    def _with_attributes(self, rows: Iterable[Row]) -> list[Row]:
        chosen = list(rows)
        keys = {row.values["standard_attr_id"] for row in chosen if "standard_attr_id" in row.values}
        return [r for r in self._rows if r.table == "standardattributes" and r.values["id"] in keys] + chosen

    def _copy(self, rows: Sequence[Row], replaced: Mapping[str, str]) -> None:
        attributes = {}
        for row in rows:
            if row.table == "standardattributes":
                attributes[row.values["id"]] = str(self._next_key)
                self._next_key += 1
        self._statements += [row.insert(replaced, attributes) for row in rows]

    def write(self) -> None:
        """Write all copies into the database."""
        run_sql(self._client, ["SET foreign_key_checks = 0;", "BEGIN;", *self._statements, "COMMIT;"])
        self._statements.clear()


def run_sql(client: Sequence[str], statements: Sequence[str]) -> None:
    mariadb = [found("mariadb") or "mariadb", *client, _NAME]
    ran = subprocess.run(mariadb, input="\n".join(statements), text=True, capture_output=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]


def fill(server: ControlPlane, network_id: str, port_id: str, *, networks: int, ports: int) -> list[str]:
    """Make of a network with one port so many networks with so many ports each, all of them ACTIVE; their ids."""
    client = ["--no-defaults", f"--socket={server.mariadb.socket}", "-u", "root"]
    run_sql(client, ["UPDATE ports SET status = 'ACTIVE';", "DELETE FROM provisioningblocks;"])
    copier = Copier(server)
    # Far from where Neutron begins to give addresses away.
    copier.copy_port(port_id, [IPv4Address("10.0.4.0") + at for at in range(1, ports)])
    copier.write()
    copier = Copier(server)
    copied = copier.copy_network(network_id, networks - 1)
    copier.write()
    return [network_id, *copied]
