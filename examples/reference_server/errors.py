"""What the server refuses, by the names of Neutron's exceptions: over HTTP a status and a body, over RPC a name.

Knows nothing of requests or tables.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError


class ApiError(Exception):
    """The request cannot be carried out, and nothing of it was.

    Attributes:
        type: the class of Neutron's exception (neutron_lib.exceptions).
        status: of the HTTP answer.
    """

    def __init__(self, type: str, message: str, status: int = 400) -> None:
        self.type = type
        self.message = message
        self.status = status
        super().__init__(message)

    def __str__(self) -> str:
        return f"{self.type}: {self.message}"

    def body(self) -> dict[str, Any]:
        """As Neutron's API answers it."""
        return {"NeutronError": {"type": self.type, "message": self.message, "detail": ""}}


def invalid(field: str, reason: str) -> ApiError:
    """400: a value that cannot be, with the field's path."""
    return ApiError("InvalidInput", f"Invalid input for {field}. Reason: {reason}.")


def conflict(type: str, message: str) -> ApiError:
    """409: possible, but not as things are now."""
    return ApiError(type, message, 409)


def not_found(kind: str, id: str) -> ApiError:
    """404: no network, subnet, port, segment or agent of this id."""
    return ApiError(f"{kind}NotFound", f"{kind} {id} could not be found.", 404)


#: pydantic's words that a reader of JSON may not know.
_REASONS: Final = {
    "missing": "it is required",
    "model_type": "it must be an object",
    "dict_type": "it must be an object",
    "list_type": "it must be a list",
}


def from_validation(error: ValidationError, within: str = "") -> ApiError:
    """400 for the first thing that is wrong with a body, naming the field.

    Args:
        within: path of the object that was validated, in front of the field's.
    """
    first = error.errors(include_url=False)[0]
    path = within
    for step in first["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    if first["type"] == "extra_forbidden":
        return ApiError("HTTPBadRequest", f"Unrecognized attribute(s) '{path}'")
    reason = _REASONS.get(first["type"], first["msg"].removeprefix("Value error, "))
    if first["type"] == "too_long":
        reason = f"it may have at most {first['ctx']['max_length']} members"
    return ApiError("HTTPBadRequest", f"Invalid input for {path or 'the body'}. Reason: {reason}.")
