"""Why there is no connection, in words that say what to look at next.

Knows the exceptions of the library `websockets`, and sockets'; decides nothing.
"""

from __future__ import annotations

from typing import Final

from websockets.exceptions import ConnectionClosed, InvalidStatus

_TOO_BIG: Final = 1009  # RFC 6455, 7.4.1


def reason(error: ConnectionClosed, largest: int) -> str:
    """Why a connection was lost.

    Args:
        largest: bytes of the largest message that is taken.
    """
    sent, received = error.sent, error.rcvd
    if received is not None and (sent is None or error.rcvd_then_sent):
        return f"closed by the server: {received.code} {received.reason}".rstrip()
    if sent is not None and sent.code == _TOO_BIG:
        return f"the server sent a message of more than {largest} bytes: raise the option max_message"
    if sent is not None:
        return sent.reason or f"closed with code {sent.code}"
    return f"cut off: {error.__cause__ or 'without a word'}"


def turned_away(answer: str, token_file: str | None) -> str:
    """What to do about a server that does not let us in.

    Args:
        answer: what it said; token_file: the path of the token that was shown, None for none.
    """
    # Starlette answers 403 where there is no endpoint, too.
    if token_file is None:
        return f"{answer}: let token_file name a file with the server's token, or mend the path in url"
    return f"{answer}: put the server's token into {token_file} (it is read at every try), or mend the path in url"


def hint(error: BaseException) -> str:
    """What an operator may look at when no connection came about."""
    if isinstance(error, InvalidStatus):
        return "; is the path in url that of the server's endpoint?"
    if isinstance(error, OSError):
        return "; does the server run, and listen there?"
    return ""
