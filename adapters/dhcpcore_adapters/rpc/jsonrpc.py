"""JSON-RPC 2.0 messages (https://www.jsonrpc.org/specification): texts to values and back.

Knows the format and the codes; no transport, and no method by name.  Batches are not part of it: they come as
`Malformed`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from attrs import frozen

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
#: The server will not; ``data`` is ``{"name": ...}``, the class of its exception.
REFUSED: Final = -32000

Id = int | str


class Malformed(Exception):
    """A text that is no message.

    Attributes:
        code: `PARSE_ERROR` or `INVALID_REQUEST`; message: what is wrong; id: the message's, where it has one.
    """

    def __init__(self, code: int, message: str, id: Id | None = None) -> None:
        self.code = code
        self.message = message
        self.id = id
        super().__init__(code, message, id)

    def __str__(self) -> str:
        return self.message


@frozen(kw_only=True)
class Request:
    """A call; without an id a notification, which nobody answers."""

    method: str
    params: Mapping[str, Any]
    id: Id | None = None


@frozen(kw_only=True)
class Answer:
    """What a call returned."""

    id: Id
    result: Any


@frozen(kw_only=True)
class Failure:
    """Why a call failed; without an id a message could not be read so far as that."""

    id: Id | None
    code: int
    message: str
    name: str | None = None


def parse(text: str) -> Request | Answer | Failure:
    """The message in a text.

    Raises:
        Malformed: there is none.
    """
    try:
        message = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Malformed(PARSE_ERROR, f"not JSON: {error}") from None
    if not isinstance(message, dict):
        raise Malformed(INVALID_REQUEST, "a message is one JSON object; batches are not supported")
    id = message.get("id")
    if id is not None and (not isinstance(id, (int, str)) or isinstance(id, bool)):
        raise Malformed(INVALID_REQUEST, "'id' is a text or a whole number")
    if message.get("jsonrpc") != "2.0":
        raise Malformed(INVALID_REQUEST, "'jsonrpc' is \"2.0\"", id)
    if "method" in message:
        return _request(message, id)
    if "error" in message:
        return _failure(message["error"], id)
    if "result" not in message or id is None:
        raise Malformed(INVALID_REQUEST, "neither a call ('method') nor an answer ('id' with 'result' or 'error')", id)
    return Answer(id=id, result=message["result"])


def request(id: Id, method: str, params: Mapping[str, Any]) -> str:
    """A call."""
    return _text(id=id, method=method, params=params)


def notification(method: str, params: Mapping[str, Any]) -> str:
    """A notification."""
    return _text(method=method, params=params)


def answer(id: Id, result: Any) -> str:
    """What a call returned."""
    return _text(id=id, result=result)


def failure(id: Id | None, code: int, message: str, name: str | None = None) -> str:
    """Why a call failed.

    Args:
        name: the class of the server's exception, with `REFUSED`.
    """
    error: dict[str, Any] = {"code": code, "message": message}
    if name is not None:
        error["data"] = {"name": name}
    return _text(id=id, error=error)


def _request(message: Mapping[str, Any], id: Id | None) -> Request:
    method, params = message["method"], message.get("params", {})
    if not isinstance(method, str):
        raise Malformed(INVALID_REQUEST, "'method' is a text", id)
    if not isinstance(params, dict):
        raise Malformed(INVALID_REQUEST, "'params' is an object: arguments go by name", id)
    if "id" in message and id is None:
        raise Malformed(INVALID_REQUEST, "'id' of a call is not null", id)
    return Request(method=method, params=params, id=id)


def _failure(error: object, id: Id | None) -> Failure:
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(error, dict) or not isinstance(code, int):
        raise Malformed(INVALID_REQUEST, "'error' is an object with a number 'code'", id)
    data = error.get("data")
    name = data.get("name") if isinstance(data, dict) else None
    return Failure(
        id=id, code=code, message=str(error.get("message", "")), name=name if isinstance(name, str) else None
    )


def _text(**members: Any) -> str:
    # ASCII only: lone surrogates, which UTF-8 has no bytes for, come through as escapes.
    return json.dumps({"jsonrpc": "2.0", **members}, separators=(",", ":"), allow_nan=False)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not in JSON")
