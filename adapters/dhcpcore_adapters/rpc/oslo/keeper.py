"""The agent's end of what Neutron tells: queues that are consumed, and seen to be.

Knows how a server of oslo.messaging is started, watched and stopped; nothing of calls or notifications.  One thread
does all of it, because each of these may wait for the broker without an end.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

from dhcpcore.contracts import Reporter
from dhcpcore_adapters.rpc.oslo.broker import Broker
from dhcpcore_adapters.rpc.oslo.hearing import ECHO, Ear
from dhcpcore_adapters.rpc.oslo.library import RPCServer, oslo_messaging
from dhcpcore_adapters.rpc.oslo.neutron import AGENT, context
from dhcpcore_adapters.rpc.oslo.watch import connection_of

#: Where what only has to be taken by the broker is sent to: no queue has it, so nobody gets it.
_NOBODY: Final = "dhcpcore_nobody"
#: Seconds between looks at the connection.
_LOOK: Final = 0.25
#: Seconds for a broker to be reached, at a start and when one was lost, and for our own words to come back.
_REACH: Final = 5.0
_GLANCE: Final = 0.5
_ECHO_PATIENCE: Final = 5.0
#: Seconds before another try: the first such wait, and the last, each less up to a half.
_SHORTEST: Final = 0.25
_LONGEST: Final = 10.0


class Keeper:
    """Keeps the queues of one agent consumed.

    Args:
        host: whose queues: ``dhcp_agent.<host>``, beside the topic's and a fanout queue.
        on_up: called when it is certain that what is told from now on arrives.
        on_down: called when that is over, with the reason.
        on_wait: called with the reason why there is no connection yet.
    """

    def __init__(
        self,
        broker: Broker,
        host: str,
        ear: Ear,
        *,
        on_up: Callable[[], None],
        on_down: Callable[[str], None],
        on_wait: Callable[[str], None],
        reporter: Reporter,
    ) -> None:
        self._broker = broker
        self._ear = ear
        self._host = host
        self._on_up = on_up
        self._on_down = on_down
        self._on_wait = on_wait
        self._reporter = reporter
        self._closing = threading.Event()
        self._told = ""
        self._listens = True
        self._thread = threading.Thread(target=self._keep, name="rpc keeper", daemon=True)

    def start(self, *, listens: bool = True) -> None:
        """Connect, and stay connected.

        Args:
            listens: consume the queues; else they are another's, and would give us every other message that is his.
        """
        self._listens = listens
        self._thread.start()

    def stop(self) -> None:
        """Begin to stop; returns at once."""
        self._closing.set()

    def join(self, patience: float) -> None:
        """Wait for the end, `patience` seconds at most; a thread that waits for a broker ends with the process."""
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(patience)

    def _keep(self) -> None:
        delay = _SHORTEST
        while not self._closing.is_set():
            why = self._broker.unreachable(_REACH)
            if why is None:
                began = time.monotonic()
                try:
                    self._serve()
                except Exception as error:
                    # Wrong credentials, no such vhost, a queue that cannot be declared: whatever it is, an agent
                    # without a server is worse than a thread that tries again.
                    why = _reason(error)
                if time.monotonic() - began > _LONGEST:
                    delay = _SHORTEST
            if why is not None:
                self._wait_for(f"{why}; does the broker run, and are address and password in transport_url right?")
            self._closing.wait(random.uniform(delay / 2, delay))
            delay = min(2 * delay, _LONGEST)
        self._clean_up()

    def _serve(self) -> None:
        self._try_out()
        if not self._listens:
            self._only_call()
            return
        server = RPCServer(self._broker.transport, oslo_messaging.Target(topic=AGENT, server=self._host), self._ear)
        try:
            # One worker: what is told stays in order, and handing it on takes no time.
            server.start(override_pool_size=1)
            if self._look_after(server):
                self._wake_library()
        finally:
            server.stop()
            server.wait()

    def _try_out(self) -> None:
        """Connect once, and fail where that fails: what follows would try again without an end and without a word.

        Raises:
            Exception: why it does not come about, a certificate that is not trusted, say.
        """
        hosts = max(1, len(self._broker.hosts))
        nobody = oslo_messaging.Target(topic=_NOBODY, version="1.0")
        client = self._own_queue() if self._listens else oslo_messaging.get_rpc_client(self._broker.transport, nobody)
        client.prepare(retry=hosts - 1).cast(context(), ECHO, token="")

    def _only_call(self) -> None:
        """Until the end.  Nothing is consumed, so no connection is looked at: each call ends in its time."""
        self._reporter.report("connected to the broker", url=self._broker.url)
        self._on_up()
        self._closing.wait()
        self._on_down("the transport is closed")

    def _own_queue(self) -> Any:
        target = oslo_messaging.Target(topic=AGENT, server=self._host, version="1.0")
        return oslo_messaging.get_rpc_client(self._broker.transport, target)

    def _look_after(self, server: Any) -> bool:
        """Until the end; whether there is a connection then."""
        heard: object | None = None
        try:
            while not self._closing.is_set():
                seen = connection_of(server)
                if heard is not None and seen is not heard:
                    heard = None
                    # Not for long: calls that are under way wait to be ended.  When the library is back already,
                    # there is nothing to see of the reason.
                    self._lost(self._broker.unreachable(_GLANCE) or "the broker closed it")
                if heard is None and seen is not None and self._hears_itself() and connection_of(server) is seen:
                    heard = seen
                    self._told = ""
                    self._reporter.report("connected to the broker", url=self._broker.url)
                    self._on_up()
                self._closing.wait(_LOOK)
            return heard is not None
        finally:
            if heard is not None:
                self._on_down("the transport is closed" if self._closing.is_set() else "an error of our own")

    def _wake_library(self) -> None:
        """Send a message and get its reply: the threads that wait for either end sooner when they were just awake."""
        with suppress(Exception):
            self._own_queue().prepare(timeout=_GLANCE, retry=0).call(context(), ECHO, token="")

    def _hears_itself(self) -> bool:
        """Whether a message to this agent arrives here: queues declared, bound and consumed, and replies too."""
        token = uuid4().hex
        try:
            heard = self._own_queue().prepare(timeout=_ECHO_PATIENCE, retry=1).call(context(), ECHO, token=token)
        except Exception as error:
            self._wait_for(f"a message to this agent's own queue does not arrive: {_reason(error)}")
            return False
        return bool(heard == token)

    def _lost(self, why: str) -> None:
        self._on_down(why)
        self._reporter.report("the connection to the broker was lost", url=self._broker.url, error=why)

    def _wait_for(self, why: str) -> None:
        if self._closing.is_set():
            return
        self._on_wait(why)
        if why != self._told:
            self._told = why
            self._reporter.report("there is no connection to the broker", url=self._broker.url, error=why)

    def _clean_up(self) -> None:
        with suppress(Exception):  # a broker that is gone has nothing to be cleaned up
            self._broker.transport.cleanup()


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
