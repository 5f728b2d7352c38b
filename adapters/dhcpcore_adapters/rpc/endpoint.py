"""A server's end of the WebSocket transport, as a route for Starlette.

Knows ASGI on asyncio; what is called and told is the plugin's.  Needs the extra ``reference-server`` (starlette), and a
server to run it, uvicorn say.  What goes over the wire: docs/transports.md.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from dhcpcore.contracts import NullReporter, Reporter
from dhcpcore_adapters.rpc import agreed
from dhcpcore_adapters.rpc.plugin import Plugin
from dhcpcore_adapters.rpc.session import MOST_CALLS, MOST_WAITING, Desk, Run, Session

try:
    from anyio import CapacityLimiter, to_thread
    from starlette.routing import WebSocketRoute
    from starlette.websockets import WebSocket, WebSocketDisconnect
except ImportError as error:  # pragma: no cover
    raise ImportError(f"{error}: pip install 'dhcpcore[reference-server]'") from error

__all__ = ["Run", "websocket_route"]

#: Threads for calls, and for state reports, where the caller brings none.
_CALL_THREADS: Final = 32
_REPORT_THREADS: Final = 4
_LONGEST_HOST: Final = 255  # Neutron: agents.host


def websocket_route(
    plugin: Plugin,
    *,
    token: str | None,
    path: str = agreed.PATH,
    reporter: Reporter | None = None,
    max_message: int = agreed.LARGEST_CALL,
    max_waiting: int = MOST_WAITING,
    max_calls: int = MOST_CALLS,
    run: Run | None = None,
) -> WebSocketRoute:
    """The route at which agents connect.

    Args:
        plugin: what is served; called in worker threads, several at once.
        token: what agents must show (``Authorization: Bearer ...``); None: nothing, where only agents can connect.
        max_message: bytes of the largest call.  The server around has a bound of its own, which closes the connection
            (uvicorn: ``ws_max_size``, 16 MiB).
        max_waiting: messages that may wait for one agent; with more its connection is closed, and it will sync.
        max_calls: of one connection, under way at once.
        run: calls a function elsewhere than on the event loop and waits for it; default: 32 threads for calls, and 4
            for state reports, which so never wait for calls.

    Raises:
        ValueError: the token is empty.
    """
    if token is not None and not token.strip():
        raise ValueError("an empty token would let everybody in: give one, or None where none is wanted")
    desk = Desk(
        plugin=plugin,
        reporter=NullReporter() if reporter is None else reporter,
        calls=run or _in_threads(_CALL_THREADS),
        reports=run or _in_threads(_REPORT_THREADS),
        largest_call=max_message,
        most_waiting=max_waiting,
        most_calls=max_calls,
    )

    async def agent(websocket: WebSocket) -> None:
        if not _is_let_in(websocket, token):
            desk.reporter.report("an agent without the right token was turned away", client=str(websocket.client))
            # Before it was accepted: HTTP 403.
            await websocket.close(agreed.WRONG_TOKEN, "wrong token")
            return
        try:
            host, notifications, largest = _told(websocket)
        except ValueError as error:
            desk.reporter.report("an agent was turned away", client=str(websocket.client), error=error)
            await websocket.accept()
            await websocket.close(agreed.BAD_QUERY, str(error))
            return
        session = Session(desk, host, largest)
        end: Callable[[], None] | None = None
        try:
            # Before it is accepted, so that what an agent is told from its first moment on is complete.
            if notifications:
                end = await desk.reports(lambda: plugin.subscribe(host, session.notify))
            await websocket.accept()
            await _serve(websocket, session)
        finally:
            session.over.cancel()
            if end is not None:
                await desk.reports(end)

    return WebSocketRoute(path, agent)


async def _serve(websocket: WebSocket, session: Session) -> None:
    tasks = asyncio.create_task(_send(websocket, session)), asyncio.create_task(_receive(websocket, session))
    try:
        ends: set[asyncio.Future[Any]] = {*tasks, session.over}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception) and not isinstance(ended, WebSocketDisconnect):
                session.report("an agent's connection met an error of our own", error=ended)
    if session.over.done():
        code, reason = session.over.result()
        # One that does not read does not read this either.
        with suppress(Exception):
            await asyncio.wait_for(websocket.close(code, reason), 1)


async def _send(websocket: WebSocket, session: Session) -> None:
    while True:
        await websocket.send_text(await session.next())


async def _receive(websocket: WebSocket, session: Session) -> None:
    while (message := await websocket.receive())["type"] == "websocket.receive":
        session.take(message.get("text"))


def _is_let_in(websocket: WebSocket, token: str | None) -> bool:
    if token is None:
        return True
    scheme, _, shown = websocket.headers.get("authorization", "").partition(" ")
    matches = hmac.compare_digest(shown.strip().encode("utf-8", "surrogatepass"), token.strip().encode())
    return scheme.lower() == "bearer" and matches


def _told(websocket: WebSocket) -> tuple[str, bool, int]:
    """Host, whether it wants notifications, bytes of the largest answer that it takes."""
    query = websocket.query_params
    host = query.get(agreed.HOST, "")
    if not 0 < len(host) <= _LONGEST_HOST or not host.isprintable():
        raise ValueError("say which agent this is: ?host=NAME")
    notifications = query.get(agreed.NOTIFICATIONS, "yes")
    if notifications not in ("yes", "no"):
        raise ValueError("notifications is yes or no")
    largest = query.get(agreed.MAX_MESSAGE, str(agreed.LARGEST_ANSWER))
    if not (largest.isascii() and largest.isdigit() and len(largest) < 16):
        raise ValueError("max_message is a number of bytes")
    return host, notifications == "yes", int(largest)


def _in_threads(number: int) -> Run:
    limiter: CapacityLimiter | None = None

    async def run(function: Callable[[], Any]) -> Any:
        nonlocal limiter
        if limiter is None:  # some versions of anyio make none outside of an event loop
            limiter = CapacityLimiter(number)
        return await to_thread.run_sync(function, limiter=limiter, abandon_on_cancel=True)

    return run
