"""Tells of every call that DHCP agents make to Neutron's RPC servers, and of what a host's agent is told, as the broker
hands it on.

Run as a program, by the Python that has neutron: ``neutron_call_counter.py <url of the broker> <host>``. Prints
``ready``, then for each call ``<seconds of the monotonic clock> <method>``, and for each notification to the host's
agent alone the same with ``told:`` before the method. It has a queue of its own beside the others', so it counts for
both agents alike and is in nobody's way. Knows what oslo.messaging writes into a message; answers nothing.
"""
# mypy: disable-error-code="import-not-found, import-untyped, misc, attr-defined, no-untyped-call"

from __future__ import annotations

import json
import sys
import time
from typing import Any, Final

import kombu

#: The topics of the calls of DHCP agents.
TOPICS: Final = ("q-plugin", "q-reports-plugin")


def is_of_a_dhcp_agent(call: dict[str, Any]) -> bool:
    """Whether it is none of the stand-in's for layer 2 (tests/support/neutron/l2_stand_in.py)."""
    if call["method"] == "report_state":
        return bool(call["args"]["agent_state"]["agent_state"]["binary"] == "neutron-dhcp-agent")
    return bool(call["method"] != "update_device_up")


def tell(body: Any, message: Any) -> None:
    now = time.monotonic()
    envelope = json.loads(body) if isinstance(body, (str, bytes)) else body
    call = json.loads(envelope["oslo.message"])
    if message.delivery_info["routing_key"] not in TOPICS:
        print(f"{now:.4f} told:{call['method']}", flush=True)
    elif is_of_a_dhcp_agent(call):
        print(f"{now:.4f} {call['method']}", flush=True)


def main(url: str, host: str) -> None:
    with kombu.Connection(url.replace("rabbit://", "amqp://", 1)) as connection:
        exchange = kombu.Exchange("neutron", type="topic", durable=False, auto_delete=False)
        bindings = [kombu.binding(exchange, routing_key=topic) for topic in (*TOPICS, f"dhcp_agent.{host}")]
        queue = kombu.Queue("dhcpcore-bench-calls", bindings=bindings, exclusive=True, auto_delete=True)
        with kombu.Consumer(connection, [queue], callbacks=[tell], no_ack=True):
            print("ready", flush=True)
            while True:
                connection.drain_events()


if __name__ == "__main__":
    main(*sys.argv[1:])
