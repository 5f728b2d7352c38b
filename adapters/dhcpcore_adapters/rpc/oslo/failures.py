"""What a call over oslo.messaging ends with when it does not end well: always an `AdapterError`.

Knows oslo.messaging's exceptions.  A text begins with the name of the remote exception where the server refused, and
with one of ours otherwise, as docs/transports.md has it.
"""

from __future__ import annotations

import builtins
from typing import Final

from dhcpcore import AdapterError
from dhcpcore_adapters.rpc.oslo.library import oslo_messaging
from dhcpcore_adapters.rpc.oslo.pending import NoAnswer
from dhcpcore_adapters.rpc.refusals import refused

#: How oslo.messaging marks the class of a remote exception that it has rebuilt here.
_REBUILT: Final = "_Remote"
_LONGEST: Final = 500
#: The server does not know the method, or not in this version: an older one.
_UNKNOWN: Final = frozenset({"NoSuchMethod", "UnsupportedVersion"})


def as_adapter_error(error: BaseException, method: str, timeout: float) -> AdapterError:
    """What the caller is told.

    Args:
        error: from oslo.messaging; timeout: seconds that the server was given.
    """
    if isinstance(error, oslo_messaging.RemoteError):
        return _remote(str(error.exc_type), str(error.value), method)
    name = type(error).__name__
    if type(error).__module__ == "builtins" and not isinstance(error, OSError):
        # What Python itself raises inside a server arrives as it was raised there.
        return _remote(name, str(error), method)
    if name.endswith(_REBUILT):
        # Its text is the message, and then a traceback in lines of their own.
        return _remote(name.removesuffix(_REBUILT), str(error), method)
    if isinstance(error, oslo_messaging.MessagingTimeout):
        waited = f"no answer to {method} in {timeout:.3g} s, its outcome is unknown"
        return NoAnswer(f"TimeoutError: {waited}; does neutron-rpc-server run?")
    if isinstance(error, oslo_messaging.MessageDeliveryFailure):
        return AdapterError(f"ConnectionError: the broker did not take {method}: {_one_line(str(error))}")
    return AdapterError(f"ConnectionError: {method} failed: {name}: {_one_line(str(error))}")


def _remote(name: str, text: str, method: str) -> AdapterError:
    if name in _UNKNOWN:
        return refused("UnsupportedVersion", f"the server does not take {method}: {_one_line(text)}")
    if hasattr(builtins, name):
        return AdapterError(f"InternalError: the server failed at {method}: {name}; its own log says why")
    return refused(name, _one_line(text))


def _one_line(text: str) -> str:
    first = text.strip().partition("\n")[0].strip()
    return first if len(first) <= _LONGEST else f"{first[: _LONGEST - 1]}…"
