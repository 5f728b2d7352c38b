"""`evolve`: a changed copy of a value of the state, as `attrs.evolve` makes it, at a fraction of the cost.

Every event makes new states out of old ones, with twenty members each of which one or two differ; to read them all one
by one and to hand them to ``__init__`` again was a sixth of all that a simulated history took.  The classes that events
change most are made without slots for this: the members of such a value are one dict, which is copied as a whole.

Nothing is checked or converted on the way, so it is for classes that check nothing either; what has slots is left to
attrs.  tests/unit/test_evolving.py holds both, and docs/decisions/0011 has the figures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attrs import evolve as evolve  # the name by which mypy knows to look at the arguments
else:
    import attrs

    _new, _set = object.__new__, object.__setattr__

    def evolve(value, /, **changes):
        """`value` with `changes`.

        Raises:
            TypeError: it has no member of such a name.
        """
        before = getattr(value, "__dict__", None)
        if before is None:
            return attrs.evolve(value, **changes)
        members = before | changes
        if len(members) != len(before):
            unknown = ", ".join(sorted(changes.keys() - before.keys()))
            raise TypeError(f"{value.__class__.__name__} has no {unknown}")
        copy = _new(value.__class__)
        _set(copy, "__dict__", members)
        return copy
