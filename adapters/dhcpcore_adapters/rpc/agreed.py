"""What both ends of a WebSocket agree on, beside JSON-RPC.

Knows constants; nothing that uses them.
"""

from __future__ import annotations

from typing import Final

#: The endpoint's path.
PATH: Final = "/rpc"

#: The query with which an agent connects: its host; whether it is to be told notifications ("yes", "no"; without it,
#: it is); how many bytes of an answer it takes.
HOST: Final = "host"
NOTIFICATIONS: Final = "notifications"
MAX_MESSAGE: Final = "max_message"

#: The only member of a notification's ``params``, as in Neutron.
PAYLOAD: Final = "payload"

#: Close codes: the query is wrong; the token is (before the handshake's end: HTTP 403); the agent reads too slowly;
#: something that it was to be told cannot be sent.
BAD_QUERY: Final = 4400
WRONG_TOKEN: Final = 4401
TOO_SLOW: Final = 4408
UNSENDABLE: Final = 4500

#: Bytes of the largest answer, and of the largest call, by default.
LARGEST_ANSWER: Final = 64 * 2**20
LARGEST_CALL: Final = 8 * 2**20
