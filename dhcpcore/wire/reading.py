"""Steps into a payload: objects, lists, one model from its fields; each tells where it hurt.

Knows no payload by name.  Looks only as deep as it is asked to, so deep or cyclic JSON costs nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from attrs import fields

from dhcpcore.errors import PayloadError, shown
from dhcpcore.model.checks import Field, check_id
from dhcpcore.model.network import Network

Payload = Mapping[str, Any]
Model = TypeVar("Model")

_NO_NAMES: Final[Mapping[str, str]] = {}
#: Validators want a field to name in their error; here the name is the payload's.
_SOME_FIELD: Final[Field] = fields(Network).id


def as_object(payload: Any) -> Payload:
    """The payload, if it is a JSON object.

    Raises:
        PayloadError: it is not.
    """
    if type(payload) is dict or isinstance(payload, Mapping):
        return payload
    raise PayloadError("", "an object", shown(payload))


def inside(payload: Payload, name: str, parse: Callable[[Any], Model]) -> Model:
    """What a payload must have under a name, parsed.

    Raises:
        PayloadError: it is absent, or `parse` refuses it.
    """
    if name not in payload:
        raise PayloadError(name, "an object", "nothing")
    try:
        return parse(payload[name])
    except PayloadError as error:
        raise error.under(name) from None


def members(payload: Payload, name: str) -> list[Any] | tuple[Any, ...]:
    """The members of a list; absent and None are no members.

    Raises:
        PayloadError: there is something else.
    """
    value = payload.get(name)
    if value is None:
        return ()
    if type(value) is list or type(value) is tuple:
        return value
    raise PayloadError(name, "a list or null", shown(value))


def each_member(payload: Payload, name: str, parse: Callable[[Any], Model]) -> tuple[Model, ...]:
    """`members`, each parsed.  Errors have the member's index in their path."""
    found = members(payload, name)
    if not found:
        return ()
    parsed: list[Model] = []
    for index, member in enumerate(found):
        try:
            parsed.append(parse(member))
        except PayloadError as error:
            raise error.under(f"{name}[{index}]") from None
    return tuple(parsed)


def checked(payload: Payload, name: str, check: Callable[[Any, Field, Any], None]) -> Any:
    """One value of a payload that no model holds, checked as a model's field of that kind would be."""
    value = payload.get(name)
    try:
        check(None, _SOME_FIELD, value)
    except PayloadError as error:
        got = error.got if name in payload else "nothing"
        raise PayloadError(name, error.expected, got) from None
    return shared(value)


def readable_id(value: Any) -> str | None:
    """The value, if it is an id that is safe to use."""
    try:
        check_id(None, _SOME_FIELD, value)
    except PayloadError:
        return None
    return str(value)


def switch(payload: Payload, name: str) -> Any:
    """A flag: true where absent (the API's default), false where null (a database column that was never set)."""
    value = payload.get(name, True)
    return False if value is None else value


def or_default(value: Any, default: Any) -> Any:
    """The value, or the default in place of null."""
    return default if value is None else value


def shared(value: Any) -> Any:
    """The same text, one object for all who hold it: ids of subnets, owners and hosts come again and again.

    An interned text goes away with its last holder (CPython docs, sys.intern).
    """
    return sys.intern(value) if type(value) is str else value


def as_sent(error: PayloadError, payload: Payload, wire_names: Mapping[str, str] = _NO_NAMES) -> PayloadError:
    """A model's error in the words of the wire: the field's name there, and that it was absent where it was."""
    name = wire_names.get(error.path, error.path)
    absent = name.isidentifier() and name not in payload
    return PayloadError(name, error.expected, "nothing" if absent else error.got)
