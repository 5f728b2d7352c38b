"""`dhcpcore render`: the files of one network."""

from __future__ import annotations

import io
import json
import shlex
import sys
from pathlib import Path

import pytest

from dhcpcore.plan.render_request import answer_render_request
from dhcpcore_adapters.cli import main
from support.render_requests import DATA, DHCP_PORT, NETWORK, PORT, ROUTED


class TestFiles:
    def test_one_network(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = tmp_path / "new" / "files"
        settings = str(DATA / "settings.json")
        assert main(["render", str(DATA / "network.json"), "--out", str(out), "--settings", settings]) == 0
        names = ["host", "addn_hosts", "opts", "leases", "cmdline", "haproxy.conf"]
        written = capsys.readouterr()
        assert written.out.splitlines() == [str(out / name) for name in names]
        assert written.err == ""
        assert sorted(path.name for path in out.iterdir()) == sorted(names)
        assert all(path.stat().st_mode & 0o777 == 0o644 for path in out.iterdir())
        request = {
            "network": json.loads((DATA / "network.json").read_text("utf-8")),
            "settings": json.loads((DATA / "settings.json").read_text("utf-8")),
        }
        answer = answer_render_request(request)
        for name in ("host", "addn_hosts", "opts", "leases"):
            assert (out / name).read_text("utf-8") == answer[name]
        assert shlex.split((out / "cmdline").read_text("utf-8")) == answer["argv"]
        assert (out / "haproxy.conf").read_text("utf-8") == answer["metadata_proxy_config"]

    def test_a_routed_network_has_a_directory_for_each_instance(self, tmp_path: Path) -> None:
        network = tmp_path / "n.json"
        network.write_text(json.dumps(ROUTED), "utf-8")
        assert main(["render", str(network), "--out", str(tmp_path / "out")]) == 0
        files = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("host"))
        assert files == ["1/net/host", "None/net/host"]

    def test_a_proxy_that_is_needed_no_more_leaves_no_file(self, tmp_path: Path) -> None:
        network, settings = tmp_path / "n.json", tmp_path / "s.json"
        network.write_text(json.dumps(NETWORK), "utf-8")
        settings.write_text('{"force_metadata": true}', "utf-8")
        assert main(["render", str(network), "--out", str(tmp_path), "--settings", str(settings)]) == 0
        assert (tmp_path / "haproxy.conf").exists()
        assert main(["render", str(network), "--out", str(tmp_path)]) == 0
        assert not (tmp_path / "haproxy.conf").exists()

    def test_the_host_is_told_from_the_dhcp_port(self, tmp_path: Path) -> None:
        network = tmp_path / "n.json"
        network.write_text(json.dumps({**NETWORK, "ports": [PORT, DHCP_PORT]}), "utf-8")
        assert main(["render", str(network), "--out", str(tmp_path), "--unbridged"]) == 0
        assert "--bridge-interface=tap0123456789a,tap*" in shlex.split((tmp_path / "cmdline").read_text("utf-8"))

    def test_options(self, tmp_path: Path) -> None:
        network, leases = tmp_path / "n.json", tmp_path / "old"
        network.write_text(json.dumps(NETWORK), "utf-8")
        leases.write_bytes(b"duid 00:01\n\xff\n")
        argv = ["render", str(network), "--out", str(tmp_path), "--unbridged", "--no-host-tags", "--no-ipv6"]
        argv += ["--interface-name", "dev", "--interface-address", "10.0.0.9/24", "--previous-leases", str(leases)]
        assert main(argv) == 0
        assert (tmp_path / "leases").read_text("utf-8").startswith("duid 00:01\n")
        assert "--bridge-interface=dev,tap*" in shlex.split((tmp_path / "cmdline").read_text("utf-8"))

    def test_warnings_go_to_stderr(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        network = tmp_path / "n.json"
        option = {"opt_name": "no-such-option", "opt_value": "1"}
        network.write_text(json.dumps({**NETWORK, "ports": [{**PORT, "extra_dhcp_opts": [option]}]}), "utf-8")
        assert main(["render", str(network), "--out", str(tmp_path)]) == 0
        err = capsys.readouterr().err
        assert err.startswith("dhcpcore: warning: port p: ")
        assert err.endswith("(option-dropped)\n")

    def test_stdin(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(NETWORK).encode())))
        assert main(["render", "-", "--out", str(tmp_path)]) == 0
        assert (tmp_path / "host").read_text("utf-8").startswith("fa:16:3e:00:00:05,")

    @pytest.mark.parametrize(
        "argv, message",
        [
            (["--interface-name", "a/b"], "--interface-name: expected the name of a network device"),
            (["--interface-address", "x"], "--interface-address: expected an address like 10.0.0.2/24"),
            (["--previous-leases", "/nonexistent"], "/nonexistent: cannot be read: No such file or directory; "),
            (["--settings", "/nonexistent"], "/nonexistent: cannot be read: No such file or directory; "),
        ],
    )
    def test_bad_options(
        self, argv: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["render", str(DATA / "network.json"), "--out", str(tmp_path / "out"), *argv]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"dhcpcore: {message}")
        assert not (tmp_path / "out").exists()

    def test_a_bad_network(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        network = tmp_path / "n.json"
        network.write_text('{"id": "net", "subnets": [{"id": "s", "cidr": "10.0.0.0/33"}]}', "utf-8")
        assert main(["render", str(network), "--out", str(tmp_path / "out")]) == 1
        assert capsys.readouterr().err == (
            f"dhcpcore: {network}: subnets[0].cidr: expected a CIDR like 10.0.0.0/24 or fd00::/64, got '10.0.0.0/33';"
            " correct the file and run again\n"
        )

    def test_a_place_that_cannot_be_written(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "file").write_text("", "utf-8")
        assert main(["render", str(DATA / "network.json"), "--out", str(tmp_path / "file")]) == 1
        assert "cannot be written: " in capsys.readouterr().err
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
