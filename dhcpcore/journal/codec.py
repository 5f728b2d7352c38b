"""Values of the core as JSON types and back, exactly: driven by the types that the attrs classes declare.

Knows attrs, type hints and the few kinds of types that the core's values are made of; knows no class by name but those
whose members are left out, or whose objects are shared.  Members that have their default are not written.  Objects of
the classes in `_SHARED` are written once in a line, and by their number after that: they are the same object again
when they are read.  What is read is checked: an unknown member, a wrong type, or a value that its class refuses is a
`JournalError` that names the member.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from attrs import NOTHING, Factory, fields, has
from immutables import Map

from dhcpcore.actions import Plan
from dhcpcore.errors import PayloadError, SettingsError, shown
from dhcpcore.journal.errors import JournalError
from dhcpcore.journal.scalars import (
    SCALARS,
    WORDS,
    Codec,
    Decode,
    Encode,
    Shared,
    decode_float,
    decode_mapping,
    decode_plain,
    each_of,
    encode_plain,
    list_of,
    literal,
    members_of,
    under,
)
from dhcpcore.model.network import Network, Segment, Subnet
from dhcpcore.model.port import Port
from dhcpcore.model.settings import Settings
from dhcpcore.model.spec import InstanceSpec
from dhcpcore.render.framing import Templates
from dhcpcore.state.agent import AgentState

#: The member that says which class an object is of, where several are possible.
KIND: Final = "is"
#: The address of the message broker may hold a password; what was rendered is only kept to be reused.
_LEFT_OUT: Final = {
    Settings: frozenset({"transport_url"}),
    InstanceSpec: frozenset({"lines"}),
    Plan: frozenset({"rendered"}),
}
_SHARED: Final = frozenset({Network, Subnet, Port})
#: Names that modules import for type checkers only.
_NAMES: Final = {"Network": Network, "Subnet": Subnet, "Segment": Segment, "Port": Port}
#: Where the declared type is wider than what can be written.
_NARROWED: Final[Mapping[tuple[type, str], Any]] = {(AgentState, "templates"): Templates | None}
_ABSENT: Final = object()


def codec(hint: Any) -> Codec:
    """The codec of a type as it stands in an annotation.

    Raises:
        TypeError: no value of the core is of such a type.
    """
    return _codec(hint)


@cache
def _codec(hint: Any) -> Codec:
    if hint in SCALARS:
        return SCALARS[hint]
    if hint in _FAMILIES:
        return _FAMILIES[hint]
    if hint is Any:
        return Codec(encode_plain, decode_plain)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _union(arguments)
    if origin is Literal:
        return literal(arguments)
    if origin is tuple:
        return _sequence(arguments[0]) if arguments[1:] == (...,) else _row(arguments)
    if origin is frozenset:
        return _set(arguments[0])
    if origin is Map:
        return _map(*arguments)
    if origin is not None and issubclass(origin, Mapping):
        return Codec(encode_plain, decode_mapping)
    if isinstance(hint, type) and has(hint):
        return _object(hint)
    raise TypeError(f"no JSON form for {hint}")


def family(*classes: type) -> Codec:
    """A codec for an object of one of these classes, which is told by its name."""
    by_name = {each.__name__: each for each in classes}

    def encode(value: Any, shared: Shared) -> Any:
        name = type(value).__name__
        if by_name.get(name) is not type(value):
            raise JournalError("", f"one of {', '.join(by_name)}", f"a {name}")
        return {KIND: name, **codec(type(value)).encode(value, shared)}

    def decode(data: Any, shared: Shared) -> Any:
        members = members_of(data)
        name = members.get(KIND)
        if type(name) is not str or name not in by_name:
            raise JournalError(KIND, f"one of {', '.join(by_name)}", shown(name))
        return codec(by_name[name]).decode({key: value for key, value in members.items() if key != KIND}, shared)

    return Codec(encode, decode)


# -- several values ---------------------------------------------------------------------------------------------------


def _sequence(inner: Any) -> Codec:
    one = codec(inner)
    encode_one, decode_one = one.encode, one.decode

    def encode(value: Any, shared: Shared) -> Any:
        return [encode_one(member, shared) for member in value]

    def decode(data: Any, shared: Shared) -> Any:
        return tuple(each_of(list_of(data), decode_one, shared))

    return Codec(encode, decode)


def _row(inner: tuple[Any, ...]) -> Codec:
    codecs = [codec(each) for each in inner]

    def encode(value: Any, shared: Shared) -> Any:
        return [each.encode(member, shared) for each, member in zip(codecs, value, strict=True)]

    def decode(data: Any, shared: Shared) -> Any:
        found = list_of(data)
        if len(found) != len(codecs):
            raise JournalError("", f"a list of {len(codecs)}", shown(data))
        return tuple(each.decode(member, shared) for each, member in zip(codecs, found, strict=True))

    return Codec(encode, decode)


def _set(inner: Any) -> Codec:
    one = codec(inner)

    def encode(value: Any, shared: Shared) -> Any:
        return [one.encode(member, shared) for member in sorted(value)]

    def decode(data: Any, shared: Shared) -> Any:
        return frozenset(each_of(list_of(data), one.decode, shared))

    return Codec(encode, decode)


def _map(key: Any, inner: Any) -> Codec:
    """Texts are the keys of a JSON object; others stand in pairs. Sorted: equal maps are written alike."""
    keys, one = codec(key), codec(inner)

    def encode(value: Any, shared: Shared) -> Any:
        if key is str:
            return {name: one.encode(value[name], shared) for name in sorted(value)}
        return [[keys.encode(each, shared), one.encode(value[each], shared)] for each in sorted(value)]

    def decode(data: Any, shared: Shared) -> Any:
        if key is str:
            return Map({name: under(name, one.decode, member, shared) for name, member in members_of(data).items()})
        return Map(each_of(list_of(data), pair.decode, shared))

    pair = _row((key, inner))
    return Codec(encode, decode)


def _union(arguments: tuple[Any, ...]) -> Codec:
    """Nothing, texts and objects: at most one class of objects, or each is told by its name."""
    scalars = [each for each in arguments if each in SCALARS]
    others = [each for each in arguments if each not in SCALARS]
    inner = None if not others else codec(others[0]) if len(others) == 1 else family(*others)
    kinds = set(scalars)

    def encode(value: Any, shared: Shared) -> Any:
        if type(value) in kinds:
            return SCALARS[type(value)].encode(value, shared)
        if inner is None:
            return SCALARS[float].encode(value, shared) if float in kinds else value
        return inner.encode(value, shared)

    def decode(data: Any, shared: Shared) -> Any:
        for each in scalars:
            if type(data) is each or (each is float and type(data) is int):
                return data
        if inner is not None:
            return inner.decode(data, shared)
        if float in kinds:
            return decode_float(data, shared)
        raise JournalError("", " or ".join(WORDS[each] for each in scalars), shown(data))

    return Codec(encode, decode)


# -- objects ----------------------------------------------------------------------------------------------------------


def _object(model: type) -> Codec:
    left_out = _LEFT_OUT.get(model, frozenset())
    members: list[tuple[str, Codec, Any]] = []

    def known() -> list[tuple[str, Codec, Any]]:
        # Not before it is needed: classes may hold each other.
        if not members:
            hints = get_type_hints(model, localns=_NAMES)
            for attribute in fields(model):
                if attribute.name not in left_out:
                    hint = _NARROWED.get((model, attribute.name), hints[attribute.name])
                    members.append((attribute.name, codec(hint), _default(attribute)))
        return members

    def encode(value: Any, shared: Shared) -> Any:
        if type(value) is not model:
            raise JournalError("", f"a {model.__name__}", f"a {type(value).__name__}")
        encoded = {}
        for name, one, default in known():
            member = getattr(value, name)
            if member is not default and not (type(member) is type(default) and member == default):
                encoded[name] = under(name, one.encode, member, shared)
        return encoded

    def decode(data: Any, shared: Shared) -> Any:
        left = dict(members_of(data))
        values = {}
        for name, one, default in known():
            found = left.pop(name, _ABSENT)
            if found is not _ABSENT:
                values[name] = under(name, one.decode, found, shared)
            elif default is _ABSENT:
                raise JournalError(name, "a value", "none")
        if left:
            raise JournalError(min(left), "no such member", shown(left[min(left)]))
        try:
            return model(**values)
        except (PayloadError, SettingsError) as error:
            where = error.path if isinstance(error, PayloadError) else error.option
            raise JournalError(where, error.expected, error.got) from None
        except (TypeError, ValueError) as error:
            raise JournalError("", f"a {model.__name__}", shown(str(error))) from None

    return _once(model, encode, decode) if model in _SHARED else Codec(encode, decode)


def _once(model: type, encode: Encode, decode: Decode) -> Codec:
    def encode_shared(value: Any, shared: Shared) -> Any:
        number = shared.numbers.get(id(value))
        if number is not None:
            return number
        encoded = encode(value, shared)
        shared.numbers[id(value)] = len(shared.objects)
        shared.objects.append(value)
        return encoded

    def decode_shared(data: Any, shared: Shared) -> Any:
        if type(data) is int:
            if not (0 <= data < len(shared.objects) and type(shared.objects[data]) is model):
                raise JournalError("", f"the number of a {model.__name__} before it in the line", shown(data))
            return shared.objects[data]
        value = decode(data, shared)
        shared.objects.append(value)
        return value

    return Codec(encode_shared, decode_shared)


def _default(attribute: Any) -> Any:
    if attribute.default is NOTHING:
        return _ABSENT
    if isinstance(attribute.default, Factory):  # type: ignore[arg-type]
        return attribute.default.factory()
    return attribute.default


#: Declared types that stand for one of many classes; filled by `dhcpcore.journal.form`.
_FAMILIES: Final[dict[Any, Codec]] = {}


def declare_family(base: type, *classes: type) -> Codec:
    """Where `base` is declared, an object of one of `classes` stands."""
    _FAMILIES[base] = family(*classes)
    return _FAMILIES[base]
