"""What can go wrong, told once and told where.

Knows nothing of models or rendering.  Every error of the library derives from `DhcpCoreError`; where a built-in
exception says the same thing it is mixed in, so that callers who do not know us catch what they expect.
"""

from __future__ import annotations

from typing import Any

_SHOWN = 80


def shown(value: Any) -> str:
    """A value as an error may show it: its `repr` on one line, cut to 80 characters, whatever its size."""
    if isinstance(value, str):
        text = repr(value[: _SHOWN + 1])
    elif isinstance(value, (bool, int, float, type(None))):
        try:
            text = repr(value)
        except ValueError:  # an integer past sys.get_int_max_str_digits
            text = "an enormous integer"
    elif isinstance(value, (list, tuple, set, frozenset)):
        return f"a {type(value).__name__} of {len(value)}"
    elif isinstance(value, dict):
        return f"a dict of {len(value)}"
    else:
        return f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


class DhcpCoreError(Exception):
    """The root of every error raised by this library."""


class PayloadError(DhcpCoreError, ValueError):
    """A value from outside that no model can hold.

    Attributes:
        path: where it was found, e.g. ``networks[3].ports[0].fixed_ips[1].ip_address``; empty for the payload itself.
        expected: what would have been accepted, in words.
        got: what came, shortened to one line.
    """

    def __init__(self, path: str, expected: str, got: str) -> None:
        self.path = path
        self.expected = expected
        self.got = got
        super().__init__(path, expected, got)

    def __str__(self) -> str:
        return f"{self.path or 'payload'}: expected {self.expected}, got {self.got}"

    def under(self, prefix: str) -> PayloadError:
        """The same error seen from one level further out: `prefix` is a field name, or a name with an index."""
        if not self.path:
            return PayloadError(prefix, self.expected, self.got)
        joint = "" if self.path.startswith("[") else "."
        return PayloadError(f"{prefix}{joint}{self.path}" if prefix else self.path, self.expected, self.got)


class SettingsError(DhcpCoreError, ValueError):
    """An option that cannot be honoured as it is written.

    Attributes:
        option: the option's name, with its group where it has one (``metadata_haproxy.timeout_client``).
    """

    def __init__(self, option: str, expected: str, got: str) -> None:
        self.option = option
        self.expected = expected
        self.got = got
        super().__init__(option, expected, got)

    def __str__(self) -> str:
        return f"option {self.option}: expected {self.expected}, got {self.got}"


class UnsafePlanError(DhcpCoreError, RuntimeError):
    """A plan that would take DHCP away from too many networks at once, and was not forced."""


class AdapterError(DhcpCoreError, RuntimeError):
    """An adapter could not do what an action asked for.

    Attributes:
        retryable: whether the same call may succeed later without any news about the network.
    """

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        self.retryable = retryable
        super().__init__(message)
