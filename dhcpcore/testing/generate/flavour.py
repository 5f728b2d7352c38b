"""How nice generated values are."""

from __future__ import annotations

from enum import Enum


class Flavour(Enum):
    """TYPICAL: what a Neutron server really sends.  WELL_FORMED: anything a model holds, without malice.  HOSTILE: the
    same models with the strings, ids and numbers that an attacker, or bad luck, would put into them.
    """

    TYPICAL = "typical"
    WELL_FORMED = "well-formed"
    HOSTILE = "hostile"
