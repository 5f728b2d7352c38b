"""One agent's connection as the server sees it: texts in, texts out.

Knows asyncio and JSON-RPC; no WebSocket.  Everything but `notify` happens on the event loop, and nothing there waits
for the plugin.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from attrs import field, frozen

from dhcpcore.contracts import Reporter
from dhcpcore_adapters.rpc import jsonrpc
from dhcpcore_adapters.rpc.agreed import LARGEST_CALL, PAYLOAD, TOO_SLOW, UNSENDABLE
from dhcpcore_adapters.rpc.jsonrpc import Id, Malformed, Request
from dhcpcore_adapters.rpc.plugin import METHODS, Plugin, RpcRefusal

#: Calls a function elsewhere than on the event loop, and waits for what it returns.
Run = Callable[[Callable[[], Any]], Awaitable[Any]]

#: Messages that may wait for an agent to read them, and calls of one connection that may be under way.
MOST_WAITING: Final = 10_000
MOST_CALLS: Final = 256


@frozen(kw_only=True)
class Desk:
    """What all sessions of an endpoint share.

    Attributes:
        calls, reports: how to run calls of the plugin, and state reports.
        largest_call: bytes; most_waiting, most_calls: see above.
        tasks: calls under way, of connections that are gone too: their threads cannot be stopped.
    """

    plugin: Plugin
    reporter: Reporter
    calls: Run
    reports: Run
    largest_call: int = LARGEST_CALL
    most_waiting: int = MOST_WAITING
    most_calls: int = MOST_CALLS
    tasks: set[asyncio.Task[None]] = field(factory=set)


class Session:
    """The connection of one agent.

    Args:
        host: the agent's; largest_answer: bytes of the largest message that it takes.

    Attributes:
        over: set to a close code and a reason when the connection has to end.
    """

    def __init__(self, desk: Desk, host: str, largest_answer: int) -> None:
        self._desk = desk
        self._host = host
        self._largest_answer = largest_answer
        self._loop = asyncio.get_running_loop()
        self._outbox: deque[str] = deque()
        self._news = asyncio.Event()
        self._under_way: set[Id] = set()
        self.over: asyncio.Future[tuple[int, str]] = self._loop.create_future()

    def notify(self, method: str, payload: Mapping[str, Any]) -> None:
        """Tell the agent; from any thread."""
        try:
            text = jsonrpc.notification(method, {PAYLOAD: payload})
        except (TypeError, ValueError, RecursionError) as error:
            self.report("a notification cannot be sent as JSON", method=method, error=error)
            self._later(self._end, UNSENDABLE, f"{method} cannot be sent as JSON")
            return
        if len(text) > self._largest_answer:
            self.report("a notification is larger than the agent takes", method=method, size=len(text))
            self._later(self._end, UNSENDABLE, f"{method} has {len(text)} bytes")
            return
        self._later(self._put, text)

    async def next(self) -> str:
        """Wait for the next message to send."""
        while not self._outbox:
            self._news.clear()
            await self._news.wait()
        return self._outbox.popleft()

    def take(self, text: str | None) -> None:
        """The agent sent a text; or, with None, something else."""
        if text is None:
            self._refuse(None, jsonrpc.INVALID_REQUEST, "messages are text frames")
            return
        if len(text) > self._desk.largest_call:
            self._refuse(None, jsonrpc.INVALID_REQUEST, f"a message has at most {self._desk.largest_call} bytes")
            return
        try:
            message = jsonrpc.parse(text)
        except Malformed as error:
            self._refuse(error.id, error.code, error.message)
            return
        if not isinstance(message, Request) or message.id is None:
            # JSON-RPC answers neither notifications nor answers, and an agent has none of them for us.
            self.report("an agent sent something other than a call, which is ignored")
            return
        if message.id in self._under_way:
            # With that id the refusal would end the other call.
            self._refuse(None, jsonrpc.INVALID_REQUEST, f"a call with the id {message.id!r} is under way")
        elif (names := METHODS.get(message.method)) is None:
            self._refuse(message.id, jsonrpc.METHOD_NOT_FOUND, f"there is no method {message.method!r}")
        elif message.params.keys() != names:
            expected = ", ".join(sorted(names)) or "none"
            self._refuse(message.id, jsonrpc.INVALID_PARAMS, f"the arguments of {message.method} are: {expected}")
        elif len(self._under_way) >= self._desk.most_calls:
            self._put(jsonrpc.failure(message.id, jsonrpc.REFUSED, "too many calls at once", "TooManyCalls"))
        else:
            self._begin(message, message.id)

    def _begin(self, request: Request, id: Id) -> None:
        self._under_way.add(id)
        task = self._loop.create_task(self._answer(request, id))
        self._desk.tasks.add(task)
        task.add_done_callback(self._desk.tasks.discard)

    async def _answer(self, request: Request, id: Id) -> None:
        run = self._desk.reports if request.method == "report_state" else self._desk.calls
        try:
            text = await run(lambda: self._carry_out(request, id))
        except Exception as error:
            self.report("a call could not be run", method=request.method, error=error)
            text = jsonrpc.failure(id, jsonrpc.INTERNAL_ERROR, "internal error")
        self._under_way.discard(id)
        self._put(text)

    def _carry_out(self, request: Request, id: Id) -> str:
        """The text of the answer; not on the event loop, for a large one takes its time to write."""
        try:
            text = jsonrpc.answer(id, self._desk.plugin.call(self._host, request.method, request.params))
        except RpcRefusal as refusal:
            return jsonrpc.failure(id, jsonrpc.REFUSED, str(refusal.message), str(refusal.name))
        except Exception as error:
            self.report("a call failed inside the server", method=request.method, error=error)
            return jsonrpc.failure(id, jsonrpc.INTERNAL_ERROR, "internal error")
        if len(text) <= self._largest_answer:
            return text
        self.report("an answer is larger than the agent takes", method=request.method, size=len(text))
        size = f"the answer has {len(text)} bytes, and the agent takes {self._largest_answer}: raise its max_message"
        return jsonrpc.failure(id, jsonrpc.REFUSED, size, "AnswerTooLarge")

    def _refuse(self, id: Id | None, code: int, message: str) -> None:
        self.report("a message of an agent was refused", code=code, error=message)
        self._put(jsonrpc.failure(id, code, message))

    def _put(self, text: str) -> None:
        if self.over.done():
            return
        if len(self._outbox) >= self._desk.most_waiting:
            self.report("an agent reads too slowly, its connection is closed", waiting=len(self._outbox))
            self._end(TOO_SLOW, "read faster; what was dropped is to be fetched again")
            return
        self._outbox.append(text)
        self._news.set()

    def _end(self, code: int, reason: str) -> None:
        if not self.over.done():
            self.over.set_result((code, reason))
            self._outbox.clear()

    def _later(self, function: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the event loop is closed, and the connection with it
            self._loop.call_soon_threadsafe(function, *arguments)

    def report(self, message: str, /, **fields: object) -> None:
        """Tell of something, with the agent's host."""
        self._desk.reporter.report(message, host=self._host, **fields)
