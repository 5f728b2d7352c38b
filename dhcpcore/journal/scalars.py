"""The small parts of the codec: what a codec is, scalars, and what is in JSON types already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from types import NoneType
from typing import Any, Final

from attrs import frozen

from dhcpcore.errors import shown
from dhcpcore.journal.errors import JournalError


@frozen
class Shared:
    """The shared objects that one line has had so far, by identity and by number."""

    numbers: dict[int, int]
    objects: list[object]

    @classmethod
    def new(cls) -> Shared:
        """For another line."""
        return cls({}, [])


Encode = Callable[[Any, Shared], Any]
Decode = Callable[[Any, Shared], Any]


@frozen
class Codec:
    """Both directions for one type."""

    encode: Encode
    decode: Decode


_FLOATS: Final = {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}
WORDS: Final = {str: "a text", int: "a whole number", bool: "true or false", NoneType: "null", float: "a number"}


def _as_is(value: Any, _: Shared) -> Any:
    return value


def _scalar(kind: type, words: str) -> Decode:
    def decode(data: Any, _: Shared) -> Any:
        if type(data) is not kind:
            raise JournalError("", words, shown(data))
        return data

    return decode


def _encode_float(value: Any, _: Shared) -> Any:
    return value if isfinite(value) else str(value)


def decode_float(data: Any, _: Shared) -> Any:
    """A number; those that JSON has not stand as texts."""
    if type(data) is float or type(data) is int:
        return data
    if type(data) is str and data in _FLOATS:
        return _FLOATS[data]
    raise JournalError("", "a number", shown(data))


SCALARS: Final[Mapping[Any, Codec]] = {
    str: Codec(_as_is, _scalar(str, "a text")),
    int: Codec(_as_is, _scalar(int, "a whole number")),
    bool: Codec(_as_is, _scalar(bool, "true or false")),
    NoneType: Codec(_as_is, _scalar(NoneType, "null")),
    float: Codec(_encode_float, decode_float),
}


def literal(values: tuple[Any, ...]) -> Codec:
    """The codec of one of several texts."""

    def decode(data: Any, _: Shared) -> Any:
        if type(data) is not str or data not in values:
            raise JournalError("", f"one of {', '.join(values)}", shown(data))
        return data

    return Codec(_as_is, decode)


def encode_plain(value: Any, shared: Shared) -> Any:
    """What is in JSON types already."""
    if isinstance(value, Mapping):
        return {str(name): encode_plain(member, shared) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [encode_plain(member, shared) for member in value]
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and isfinite(value)):
        return value
    raise JournalError("", "JSON types", f"a {type(value).__name__}")


def decode_plain(data: Any, _: Shared) -> Any:
    """Whatever JSON holds."""
    return data


def decode_mapping(data: Any, _: Shared) -> Any:
    """An object of whatever JSON holds."""
    return dict(members_of(data))


def under(name: str, step: Callable[[Any, Shared], Any], value: Any, shared: Shared) -> Any:
    """One member's step, whose errors then name it."""
    try:
        return step(value, shared)
    except JournalError as error:
        raise error.under(name) from None


def each_of(found: list[Any], decode: Decode, shared: Shared) -> list[Any]:
    """The values of a list; errors name the place in it."""
    values: list[Any] = []
    try:
        for member in found:
            values.append(decode(member, shared))
    except JournalError as error:
        raise error.under(f"[{len(values)}]") from None
    return values


def members_of(data: Any) -> dict[str, Any]:
    """`data`, which must be an object."""
    if type(data) is not dict:
        raise JournalError("", "an object", shown(data))
    return data


def list_of(data: Any) -> list[Any]:
    """`data`, which must be a list."""
    if type(data) is not list:
        raise JournalError("", "a list", shown(data))
    return data
