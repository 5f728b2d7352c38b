"""Ports that were deleted, so that a late create or update does not bring them back (museum L5).

Two generations keep ageing O(1): a tombstone lives at least half the tombstone age; once it is as old as that age, the
next deletion takes it away.
"""

from __future__ import annotations

from attrs import frozen
from immutables import Map

from dhcpcore.state.evolving import evolve


@frozen(kw_only=True, slots=False)
class Tombstones:
    """Ids of deleted ports, each with the number of the event that deleted it."""

    young: Map[str, int] = Map()
    old: Map[str, int] = Map()
    turned_at: float = 0.0

    def __contains__(self, port_id: str) -> bool:
        return port_id in self.young or port_id in self.old

    def __len__(self) -> int:
        return len(self.young) + len(self.old)

    def add(self, port_id: str, *, seq: int, at: float, age: float) -> Tombstones:
        """With one more; those past their age are dropped on the way."""
        kept = self.aged(at=at, age=age)
        return evolve(kept, young=kept.young.set(port_id, seq))

    def aged(self, *, at: float, age: float) -> Tombstones:
        """Without those past their age (seconds).

        Generations turn at multiples of half the age, however late it is noticed: the young ones are then all from the
        half before.
        """
        half = age / 2
        since = at - self.turned_at
        if since < half:
            return self
        if since < age:
            return Tombstones(old=self.young, turned_at=self.turned_at + half)
        return Tombstones(turned_at=at)

    def since(self, seq: int) -> Tombstones:
        """Those of events after `seq` only: a full answer asked at `seq` has settled the older ones."""
        if not self.young and not self.old:
            return self
        return Tombstones(
            young=Map({port: s for port, s in self.young.items() if s > seq}),
            old=Map({port: s for port, s in self.old.items() if s > seq}),
            turned_at=self.turned_at,
        )

    def seq_of(self, port_id: str) -> int:
        """The event that deleted the port; -1 when none did."""
        return self.young.get(port_id, self.old.get(port_id, -1))

    def without(self, port_id: str) -> Tombstones:
        """With one less."""
        if port_id in self.young:
            return evolve(self, young=self.young.delete(port_id))
        if port_id in self.old:
            return evolve(self, old=self.old.delete(port_id))
        return self
