"""Bad input, through REST, through RPC, and in what ports say: it is refused in words, and nothing stops or is lost."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import unix_connect

from support import host as hosts
from support.clients.prober import Prober, Target
from support.clients.wire_latency import answered
from support.clients.wires import Wire
from support.site import AgentProgram, RestError, Server, address, bridge, running, until

if hosts.inside():

    @pytest.fixture(scope="module")
    def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, AgentProgram]]:
        with running(tmp_path_factory.mktemp("site")) as made:
            yield made

    @pytest.fixture(autouse=True)
    def network(site: tuple[Server, AgentProgram]) -> Iterator[dict[str, Any]]:
        """A network that must be served as if nothing were, and an agent and a server that must go on."""
        server, agent = site
        made = server.served()
        (port,) = made["ports"]
        seen = Target(name=made["id"], device=bridge(made["id"]), mac=port["mac_address"], expected=address(port))
        said = len(server.log)
        with Prober([seen], 0.05) as prober:
            yield made
            another = server.port(made["id"])
            answered(bridge(made["id"]), another["mac_address"], address(another), 3.0)
        report = prober.report()
        assert report.worst.wrong == ()
        # With a dnsmasq before 2.91 a reload is a fast restart where a host has a tag (docs/processes.md).
        assert report.worst.worst_gap < 2.0
        for program in (server, agent):
            assert program.process is not None
            assert program.process.poll() is None
        assert "Traceback" not in server.log[said:]

    # -- REST

    @pytest.mark.parametrize(
        "method, path, body, status",
        [
            ("POST", "networks", {"network": {"mtu": "wide"}}, 400),
            ("POST", "networks", {"network": {"mtu": 1}}, 400),
            ("POST", "networks", [], 400),
            ("POST", "networks", {"net": {}}, 400),
            ("POST", "subnets", {"subnet": {"cidr": "10.0.0.0/33", "ip_version": 4}}, 400),
            ("POST", "ports", {"port": {"network_id": "no such network"}}, 404),
            ("PUT", "ports/00000000-0000-0000-0000-000000000000", {"port": {"name": "x"}}, 404),
            ("DELETE", "networks/00000000-0000-0000-0000-000000000000", None, 404),
            ("GET", "weather", None, 404),
            ("PATCH", "networks", {}, 405),
        ],
    )
    def test_requests(server: Server, method: str, path: str, body: Any, status: int) -> None:
        """Law: a request that cannot be is answered with 4xx and a reason."""
        with pytest.raises(RestError) as refused:
            server.rest(method, path, body)
        assert refused.value.status == status
        assert refused.value.error["NeutronError"]["message"]

    def test_requests_that_are_no_http(server: Server) -> None:
        """Law: bytes that are no request, a body that is no JSON, one that never ends: 4xx, or the connection ends."""
        length = b"POST /v2.0/networks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
        for sent in (b"\x16\x03\x01\x02\0\x01\0\n\r\n\r\n", length + b"7\r\n\r\n{'a': 1", length + b"99\r\n\r\n{"):
            with socket.socket(socket.AF_UNIX) as asking:
                asking.settimeout(5)
                asking.connect(str(server.socket))
                asking.sendall(sent)
                asking.shutdown(socket.SHUT_WR)
                said = asking.recv(4096)
            assert not said or said.startswith(b"HTTP/1.1 4"), said

    def test_conflicts(server: Server, network: dict[str, Any]) -> None:
        """Law: what is possible, but not as things are, is answered with 409, and nothing of it is done."""
        (port,) = network["ports"]
        for method, path, body in (
            ("DELETE", f"networks/{network['id']}", None),
            ("DELETE", f"subnets/{network['subnet']['id']}", None),
            ("POST", "ports", {"port": {"network_id": network["id"], "mac_address": port["mac_address"]}}),
            ("POST", "ports", {"port": {"network_id": network["id"], "fixed_ips": [{"ip_address": address(port)}]}}),
        ):
            with pytest.raises(RestError) as refused:
                server.rest(method, path, body)
            assert refused.value.status == 409, (method, path)

    # -- what ports say

    def test_what_dnsmasq_would_misread(server: Server, network: dict[str, Any]) -> None:
        """Law: options and names that would break a line, or mean something else, harm no other port, nor their own."""
        strange = [
            {"opt_name": "mtu", "opt_value": "1400\ntag:x,option:router,10.0.0.66"},
            {"opt_name": "67", "opt_value": "z" * 200 + " " * 900 + "3,10.0.0.66"},
            {"opt_name": "router", "opt_value": "10.0.0.66\r\n3,10.0.0.66"},
            {"opt_name": "tag:a,tag:b,,67", "opt_value": "x"},
            {"opt_name": "no such option", "opt_value": "x"},
            {"opt_name": "67", "opt_value": 'a"b\\c#d'},
            {"opt_name": "121", "opt_value": ",".join(f"10.{n}.0.0/16,10.0.0.9" for n in range(60))},
            {"opt_name": "client-id", "opt_value": "id:*"},
        ]
        made = []
        refusals: list[int] = []
        for option in strange:
            try:
                made.append(server.port(network["id"], extra_dhcp_opts=[option]))
            except RestError as error:
                refusals.append(error.status)
        assert all(400 <= status < 500 for status in refusals)
        for name in ("ignore", "infinite", "12h", "1234", "xn--caf-dma"):
            made.append(server.port(network["id"], dns_name=name))
        server.wait_active(network["id"])
        (first,) = network["ports"]
        with Wire(bridge(network["id"])) as wire:
            offer = wire.discover(first["mac_address"])
            assert offer is not None
            assert offer.options[3] == socket.inet_aton("10.0.0.1")
        misled = 0
        for port in made:
            if any(option["opt_name"] == "client-id" for option in port["extra_dhcp_opts"]):
                continue  # known by an id that no client has
            answered(bridge(network["id"]), port["mac_address"], address(port), 2.0)
            with Wire(bridge(network["id"])) as wire:
                offer = wire.discover(port["mac_address"])
                assert offer is not None
                misled += offer.options.get(3) == socket.inet_aton("10.0.0.66")
        assert misled == 0

    # -- RPC

    def test_messages(server: Server) -> None:
        """Law: what is no call is answered with a JSON-RPC error, and the connection serves the next call."""
        with unix_connect(str(server.socket), "ws://localhost/rpc?host=host-9&notifications=no") as connection:
            for sent, code in (
                ("this is no JSON", -32700),
                ("[]", -32600),
                ('{"jsonrpc":"1.0","id":1,"method":"get_active_networks_info"}', -32600),
                ('{"jsonrpc":"2.0","id":2,"method":"get_weather","params":{}}', -32601),
                ('{"jsonrpc":"2.0","id":3,"method":"get_network_info","params":{"id":"x"}}', -32602),
                ('{"jsonrpc":"2.0","id":4,"method":"__init__","params":{}}', -32601),
            ):
                connection.send(sent)
                assert json.loads(connection.recv(5))["error"]["code"] == code, sent
            connection.send('{"jsonrpc":"2.0","id":5,"method":"get_network_info","params":{"network_id":"gone"}}')
            assert json.loads(connection.recv(5)) == {"jsonrpc": "2.0", "id": 5, "result": None}

    @pytest.mark.parametrize(
        "method, arguments",
        [
            ("report_state", {"agent_state": {"agent_type": 7}}),
            ("report_state", {"agent_state": {"configurations": [1]}}),
            ("report_state", {"agent_state": "alive"}),
            ("get_network_info", {"network_id": {"$ne": None}}),
            ("create_dhcp_port", {"port": {}}),
            ("create_dhcp_port", {"port": {"port": {"network_id": "gone", "fixed_ips": "all"}}}),
            ("update_dhcp_port", {"port_id": 7, "port": {"port": {"network_id": "gone", "fixed_ips": [1]}}}),
            ("release_dhcp_port", {"network_id": None, "device_id": []}),
            ("dhcp_ready_on_ports", {"port_ids": "all"}),
            ("dhcp_ready_on_ports", {"port_ids": [None, 7, {}]}),
        ],
    )
    def test_arguments(server: Server, method: str, arguments: dict[str, Any]) -> None:
        """Law: arguments of a wrong form are an error that is no fault of the server's, or are of no effect."""
        with unix_connect(str(server.socket), "ws://localhost/rpc?host=host-9&notifications=no") as connection:
            connection.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": arguments}))
            answer = json.loads(connection.recv(5))
        assert answer["id"] == 1
        if "error" in answer:
            assert answer["error"]["code"] in (-32000, -32602), answer
            assert answer["error"]["message"]
        else:
            assert answer["result"] is None

    def test_connections_that_break_off(server: Server, site: tuple[Server, AgentProgram]) -> None:
        """Law: who floods the server, or goes in the middle of a message, harms nobody else."""
        for number in range(20):
            with socket.socket(socket.AF_UNIX) as asking:
                asking.connect(str(server.socket))
                asking.sendall(b"GET /rpc?host=host-9 HTTP/1.1\r\nUpgrade: websocket\r\n" + b"\r\n" * (number % 2))
        with unix_connect(str(server.socket), "ws://localhost/rpc?host=host-9&notifications=no") as connection:
            for number in range(200):
                connection.send(f'{{"jsonrpc":"2.0","id":{number},"method":"get_active_networks_info","params":{{}}}}')
        agent = site[1]
        until("the agent is alive", lambda: agent.status()["heartbeat"]["answered_seconds_ago"] < 2)

else:

    def test_bad_input(tmp_path: Path) -> None:
        """Law: see the tests inside."""
        if (why := hosts.missing()) is not None:
            pytest.skip(why)
        hosts.run_inside(__file__, tmp_path, seconds=200)
