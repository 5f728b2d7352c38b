"""`dhcpcore render --jsonl`: a stream of requests."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhcpcore.plan.render_request import DEFAULT_INTERFACE
from dhcpcore.testing import Flavour, strategies
from dhcpcore_adapters.cli.jsonl import answer_lines
from dhcpcore_adapters.cli.terminal import Terminal
from support.render_requests import DHCP_PORT, NETWORK, PORT, ROUTED

#: What a request is answered with, whatever is in it.
ALWAYS = ["host", "addn_hosts", "opts", "leases", "argv", "metadata_proxy", "warnings"]


def silent() -> Terminal:
    return Terminal(out=io.StringIO(), err=io.StringIO(), colour=False, live=False)


def answers(*lines: bytes | str | dict[str, Any], longest: int | None = None) -> list[Any]:
    """The answers to lines; a dict stands for its JSON."""
    raw = []
    for line in lines:
        text = json.dumps(line) if isinstance(line, dict) else line
        raw.append((text if isinstance(text, bytes) else text.encode()) + b"\n")
    sink, terminal = io.BytesIO(), silent()
    options = {} if longest is None else {"longest": longest}
    answer_lines(io.BytesIO(b"".join(raw)), sink, terminal, **options)
    assert terminal.err.getvalue() == ""  # type: ignore[attr-defined]
    return [json.loads(line) for line in sink.getvalue().splitlines()]


def error(path: str, message: str, kind: str = "PayloadError") -> dict[str, Any]:
    return {"error": {"type": kind, "path": path, "message": message}}


class TestAnswers:
    def test_the_whole_of_one(self) -> None:
        (answer,) = answers({"network": NETWORK, "interface_addresses": ["10.0.0.2/24"]})
        assert list(answer) == ALWAYS
        assert answer["host"] == "fa:16:3e:00:00:05,host-10-0-0-5.openstacklocal,10.0.0.5\n"
        assert answer["addn_hosts"] == "10.0.0.5\thost-10-0-0-5.openstacklocal host-10-0-0-5\n"
        assert answer["leases"] == "0 fa:16:3e:00:00:05 10.0.0.5 * *\n"
        assert "tag:subnet-s,option:router,10.0.0.1" in answer["opts"].splitlines()
        assert answer["argv"][0] == "dnsmasq"
        assert "--dhcp-hostsfile=/var/lib/neutron/dhcp/net/host" in answer["argv"]
        assert answer["metadata_proxy"] is False
        assert answer["warnings"] == []

    def test_null_is_as_good_as_absent(self) -> None:
        names = ("settings", "interface_name", "interface_addresses", "segment", "bridged", "previous_leases")
        more = ("host_tag_support", "ipv6_enabled", "metadata_dad_failed", "namespace_shared")
        plain, nulls = answers({"network": NETWORK}, {"network": NETWORK, **dict.fromkeys([*names, *more])})
        assert plain == nulls

    def test_one_that_is_not_alone_in_its_namespace_keeps_to_its_device(self) -> None:
        asked = {"network": NETWORK, "interface_name": "tap7"}
        alone, beside = answers(asked, {**asked, "namespace_shared": True})
        narrow = ["--interface=tap7", "--except-interface=lo"]
        assert [each for each in beside["argv"] if each not in narrow] == alone["argv"]
        assert len(beside["argv"]) == len(alone["argv"]) + 2
        assert [warning["code"] for warning in beside["warnings"]] == ["namespace-shared"]
        assert {**beside, "argv": 0, "warnings": 0} == {**alone, "argv": 0, "warnings": 0}

    def test_members_of_other_names_are_ignored(self) -> None:
        plain, more = answers({"network": NETWORK}, {"network": NETWORK, "id": 7, "features": []})
        assert plain == more

    def test_the_metadata_proxy(self) -> None:
        (answer,) = answers({"network": NETWORK, "settings": {"force_metadata": True}})
        assert answer["metadata_proxy"] is True
        assert "X-Neutron-Network-ID net" in answer["metadata_proxy_config"]
        assert answer["metadata_proxy_argv"] == ["haproxy", "-f", "/var/lib/neutron/ns-metadata-proxy/net.conf"]

    def test_a_member_that_matters_to_a_proxy_only_is_always_looked_at(self) -> None:
        wrong = error("metadata_dad_failed", "expected true, false or null, got 5")
        for settings in ({}, {"force_metadata": True}):
            assert answers({"network": NETWORK, "settings": settings, "metadata_dad_failed": 5}) == [wrong]

    def test_warnings_are_objects(self) -> None:
        bad = {**PORT, "extra_dhcp_opts": [{"opt_name": "router", "opt_value": "1.2.3.4\nx"}]}
        option = {"opt_name": "no-such-option", "opt_value": "1"}
        (answer,) = answers({"network": {**NETWORK, "ports": [{**bad, "extra_dhcp_opts": [option]}]}})
        (warning,) = answer["warnings"]
        assert sorted(warning) == ["code", "message", "subject"]
        assert warning["subject"] == "port p"

    def test_previous_leases(self) -> None:
        (answer,) = answers({"network": NETWORK, "previous_leases": "duid 00:01\n"})
        assert answer["leases"].startswith("duid 00:01\n")


class TestDevice:
    def argument(self, **request: Any) -> str:
        (answer,) = answers({"bridged": False, **request})
        (found,) = [argument for argument in answer["argv"] if argument.startswith("--bridge-interface=")]
        return str(found.removeprefix("--bridge-interface=").removesuffix(",tap*"))

    def test_it_is_that_of_our_dhcp_port(self) -> None:
        network = {**NETWORK, "ports": [PORT, DHCP_PORT]}
        assert self.argument(network=network, settings={"host": "h"}) == "tap0123456789a"
        assert self.argument(network=network, settings={"host": "h", "ovs_use_veth": True}) == "ns-0123456789a"
        assert self.argument(network=network, settings={"host": "h"}, interface_name="mine") == "mine"

    def test_or_a_name_of_no_meaning(self) -> None:
        assert self.argument(network=NETWORK) == DEFAULT_INTERFACE
        assert self.argument(network={**NETWORK, "ports": [DHCP_PORT]}, settings={"host": "other"}) == "tap0"

    def test_its_addresses_are_those_of_our_dhcp_port(self) -> None:
        """The metadata route's next hop is an address of the device."""
        request = {
            "network": {**NETWORK, "ports": [PORT, DHCP_PORT]},
            "settings": {"host": "h", "force_metadata": True},
        }
        found, named, none, other = answers(
            request,
            {**request, "interface_addresses": ["10.0.0.2/24"]},
            {**request, "interface_addresses": []},
            {**request, "interface_addresses": ["10.0.0.77/24"]},
        )
        assert "169.254.169.254/32,10.0.0.2" in found["opts"]
        assert found["opts"] == named["opts"]
        assert "169.254.169.254" not in none["opts"]
        assert "169.254.169.254/32,10.0.0.77" in other["opts"]

    @pytest.mark.parametrize("name", ["", "a/b", "sixteen-letters-", "a b", "tap0,eth0", "tap*", "..", "t\n", 7, "a:1"])
    def test_no_device_name(self, name: Any) -> None:
        (answer,) = answers({"network": NETWORK, "interface_name": name})
        assert answer["error"]["path"] == "interface_name"


class TestSegments:
    def ranges(self, answer: Any) -> list[str]:
        return [a.split(",")[1] for a in answer["argv"] if a.startswith("--dhcp-range=")]

    def test_a_segment_serves_its_subnets(self) -> None:
        one, flat, both, neither = answers(
            {"network": ROUTED, "segment": ROUTED["segments"][0]},
            {"network": ROUTED, "segment": ROUTED["segments"][1]},
            {"network": ROUTED, "segment": None},
            {"network": ROUTED, "segment": {"id": "unknown", "segmentation_id": 3}},
        )
        assert self.ranges(one) == ["10.1.0.0"]
        assert "--pid-file=/var/lib/neutron/dhcp/1/net/pid" in one["argv"]
        assert self.ranges(flat) == ["10.2.0.0"]
        assert "--pid-file=/var/lib/neutron/dhcp/None/net/pid" in flat["argv"]
        assert self.ranges(both) == ["10.1.0.0", "10.2.0.0"]
        assert "--pid-file=/var/lib/neutron/dhcp/net/pid" in both["argv"]
        assert self.ranges(neither) == ["10.1.0.0", "10.2.0.0"]


class TestRefusals:
    @pytest.mark.parametrize(
        "request_, path, kind",
        [
            ({}, "network", "PayloadError"),
            ({"network": None}, "network", "PayloadError"),
            ({"network": []}, "network", "PayloadError"),
            ({"network": {}}, "network.id", "PayloadError"),
            ({"network": {"id": "../etc"}}, "network.id", "PayloadError"),
            ({"network": {**NETWORK, "ports": [{"id": "p", "mac_address": "zz"}]}}, "network.ports[0].mac_address", ""),
            ({"network": {**NETWORK, "ports": {}}}, "network.ports", "PayloadError"),
            ({"network": NETWORK, "settings": []}, "settings", "PayloadError"),
            ({"network": NETWORK, "settings": {"dhcp_confs": 1}}, "settings.dhcp_confs", "SettingsError"),
            (
                {"network": NETWORK, "settings": {"metadata_haproxy": {"timeout_client": 0}}},
                "settings.metadata_haproxy.timeout_client",
                "SettingsError",
            ),
            ({"network": NETWORK, "interface_addresses": "10.0.0.2/24"}, "interface_addresses", "PayloadError"),
            ({"network": NETWORK, "interface_addresses": ["10.0.0.2", "x"]}, "interface_addresses[1]", "PayloadError"),
            ({"network": NETWORK, "segment": 3}, "segment", "PayloadError"),
            ({"network": NETWORK, "segment": {"id": "a/b"}}, "segment.id", "PayloadError"),
            ({"network": NETWORK, "bridged": "no"}, "bridged", "PayloadError"),
            ({"network": NETWORK, "previous_leases": ["duid"]}, "previous_leases", "PayloadError"),
            ({"network": NETWORK, "host_tag_support": 1}, "host_tag_support", "PayloadError"),
        ],
    )
    def test_the_path_starts_at_the_request(self, request_: dict[str, Any], path: str, kind: str) -> None:
        (answer,) = answers(request_)
        assert answer["error"]["path"] == path
        assert answer["error"]["type"].startswith(kind)
        assert answer["error"]["message"].startswith("expected ")

    def test_lines_that_are_no_requests(self) -> None:
        assert answers("", "nope", "[1]", "7", "null", '{"network": NaN}', b"\xff", '{"a": 1' + "0" * 5000 + "}") == [
            error("", "expected JSON, got something else at column 1 (Expecting value)"),
            error("", "expected JSON, got something else at column 1 (Expecting value)"),
            error("", "expected an object, got a list of 1"),
            error("", "expected an object, got 7"),
            error("", "expected an object, got None"),
            error("", "expected JSON, got NaN, which is no JSON number"),
            error("", "expected UTF-8, got other bytes at offset 0"),
            error("", "expected JSON, got a number of too many digits"),
        ]

    def test_deep_nesting(self) -> None:
        deep = "[" * 100_000
        first, second = answers(deep, f'{{"network": {{"id": "net", "x": {deep}')
        assert first == second == error("", "expected JSON, got more levels of nesting than can be read")
        (fine,) = answers('{"network": {"id": "net", "unknown": ' + "[" * 200 + "]" * 200 + "}}")
        assert list(fine) == ALWAYS

    def test_a_line_past_the_limit_is_refused_and_read_over(self) -> None:
        long = {"network": {**NETWORK, "name": "x" * 5000}}
        refused, fine = answers(long, {"network": NETWORK}, longest=1000)
        assert refused == error("", "expected a line of at most 1000 bytes, got a longer one")
        assert list(fine) == ALWAYS
        (at_the_end,) = answers(long, longest=1000)
        assert at_the_end == refused

    def test_the_stream_goes_on(self) -> None:
        mixed = answers({"network": NETWORK}, "x", {"network": NETWORK}, {}, {"network": NETWORK})
        assert ["error" in answer for answer in mixed] == [False, True, False, True, False]

    def test_a_fault_of_ours_is_seen_and_takes_no_other_request_with_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(request: Any) -> dict[str, Any]:
            return {"answer": 1 / len(request)}

        monkeypatch.setattr("dhcpcore_adapters.cli.jsonl.answer_render_request", broken)
        sink, terminal = io.BytesIO(), silent()
        answer_lines(io.BytesIO(b'{}\n{"a": 1}\n'), sink, terminal)
        first, second = sink.getvalue().splitlines()
        assert json.loads(first)["error"]["type"] == "InternalError"
        assert second == b'{"answer": 1.0}'
        assert "please report it: ZeroDivisionError" in terminal.err.getvalue()  # type: ignore[attr-defined]


class TestStream:
    def test_each_answer_comes_before_the_next_request_is_sent(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "dhcpcore_adapters.cli", "render", "--jsonl"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        with process:
            for line in (json.dumps({"network": NETWORK}).encode(), b"nope", json.dumps({"network": NETWORK}).encode()):
                process.stdin.write(line + b"\n")
                process.stdin.flush()
                assert process.stdout.readline().startswith(b'{"error"' if line == b"nope" else b'{"host": "fa:16:3e')
            process.stdin.close()
            assert process.stdout.read() == b""
            assert process.stderr.read() == b""
            assert process.wait(60) == 0

    def test_the_last_line_needs_no_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sink = io.BytesIO()
        answer_lines(io.BytesIO(json.dumps({"network": NETWORK}).encode()), sink, silent())
        assert sink.getvalue().startswith(b'{"host":')


# -- laws


texts = st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))


@given(st.lists(st.binary(max_size=60) | texts))
def test_every_line_has_one_answer(lines: list[bytes]) -> None:
    """Whatever bytes come, there are as many answers as lines, each an object, each an error where no request came."""
    clean = [line.replace(b"\n", b"") for line in lines]
    assert [list(answer) for answer in answers(*clean)] == [["error"]] * len(clean)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(strategies.wire_networks(Flavour.HOSTILE), st.data())
def test_any_value_anywhere_is_answered(network: dict[str, Any], data: st.DataObject) -> None:
    """A request with any JSON value in the place of any of its members is rendered or refused, and nothing else."""
    request: dict[str, Any] = {"network": network, "settings": {}, "segment": None, "interface_addresses": []}
    place: Any = request
    while True:
        name = (
            data.draw(st.sampled_from(sorted(place)))
            if isinstance(place, dict)
            else data.draw(st.integers(0, len(place) - 1))
        )
        if isinstance(place[name], dict | list) and place[name] and data.draw(st.booleans()):
            place = place[name]
        else:
            place[name] = data.draw(json_values)
            break
    (answer,) = answers(request)
    if "error" in answer:
        assert answer["error"]["type"] in ("PayloadError", "SettingsError")
        root = answer["error"]["path"].partition(".")[0].partition("[")[0]
        assert root in ("network", "settings", "segment", "interface_addresses")
    else:
        assert set(ALWAYS) <= set(answer)
