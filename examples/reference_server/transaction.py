"""One transaction: the connection, the time, and what agents are to be told once it is committed.

Neutron's priorities of notifications live here (neutron.api.rpc.agentnotifiers.dhcp_rpc_agent_api).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from attrs import define, field, frozen

from reference_server.options import Options

Wire = dict[str, Any]

_PRIORITIES: Final = {
    "network_create_end": 0,
    "network_update_end": 1,
    "network_delete_end": 2,
    "subnet_create_end": 3,
    "subnet_update_end": 3,
    "subnet_delete_end": 4,
    "port_create_end": 6,
    "port_update_end": 6,
    "port_delete_end": 6,
}
#: Of a created port, to one of the agents: it is the one to be quick.
PRIORITY_PORT_CREATE_HIGH: Final = 5


@frozen(kw_only=True)
class Notice:
    """One message to the agent on `host`, or to every agent that listens (None)."""

    host: str | None
    method: str
    payload: Wire


@define(kw_only=True)
class Transaction:
    """What an operation works with.

    Attributes:
        now: seconds since the epoch.
        free_from: subnet id to an address below which none was free in its first pool; forgotten on a rollback.
        notices: what to tell, in order, after the commit.
        memo: what `once` has found.
    """

    db: sa.Connection
    options: Options
    now: float
    free_from: dict[str, int]
    notices: list[Notice] = field(factory=list)
    memo: dict[tuple[str, str], list[Wire]] = field(factory=dict)

    @property
    def timestamp(self) -> str:
        """Now, as resources carry it."""
        return datetime.fromtimestamp(self.now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def once(self, what: str, id: str, find: Callable[[], list[Wire]]) -> list[Wire]:
        """What `find` found when it was first asked for in this transaction: many ports are created in one.

        For the creation of ports alone, which changes nothing of networks but their agents (`scheduling.bind`).
        """
        if (what, id) not in self.memo:
            self.memo[what, id] = find()
        return self.memo[what, id]

    def rows(self, query: sa.Executable) -> list[Wire]:
        """All rows, as dicts that belong to the caller."""
        return [dict(row) for row in self.db.execute(query).mappings()]

    def row(self, query: sa.Executable) -> Wire | None:
        """The first row."""
        found = self.db.execute(query).mappings().first()
        return None if found is None else dict(found)

    def column(self, query: sa.Executable) -> list[Any]:
        """The first column of all rows."""
        return list(self.db.execute(query).scalars())

    def cast(self, host: str, method: str, payload: Mapping[str, Any], priority: int | None = None) -> None:
        """Tell one host's agent, with the priority that the method has; `agent_updated` has none."""
        rank = _PRIORITIES.get(method) if priority is None else priority
        extra = {} if rank is None else {"priority": rank}
        self.notices.append(Notice(host=host, method=method, payload={**payload, **extra}))

    def tell(self, hosts: Sequence[str], method: str, payload: Mapping[str, Any]) -> None:
        """Tell several."""
        for host in hosts:
            self.cast(host, method, payload)

    def fanout(self, method: str, payload: Mapping[str, Any]) -> None:
        """Tell every agent that listens."""
        whole = {**payload, "priority": _PRIORITIES[method]}
        self.notices.append(Notice(host=None, method=method, payload=whole))
