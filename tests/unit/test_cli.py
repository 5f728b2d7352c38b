"""The command line as a whole, and its command `plan`: results, messages, exit codes."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from dhcpcore_adapters.cli import main
from dhcpcore_adapters.cli.terminal import Terminal

ROOT = Path(__file__).parents[2]
DATA = ROOT / "examples" / "data"
PLAN = ["plan", "--current", str(DATA / "served.json"), "--desired", str(DATA / "wanted.json")]

TEXT = """\
~ 17f48623-912f-5ff4-a203-e92dd3a6e3cf
    file host differs
    file addn_hosts differs
    file opts differs
+ 47a8f8eb-0cc3-52e8-b8a9-83a153af1f3b
    claim a new DHCP port
    the DHCP port it was served on (ef64f2e2-ce6e-50b8-8225-94c12b7e6e17) is gone
    to serve: 2 ports on 1 subnet
! 4d41718e-2c65-5029-8753-5b84f2aa55a5
    command line: -dhcp-option-force=option:mtu,1450 +dhcp-option-force=option:mtu,9000
    MTU of tap5ba2c872-7c is 1450, should be 9000
+ f889626a-fd32-53b0-8244-ff16af87c380 segment 101
    claim a new DHCP port
    not served yet
    to serve: 1 port on 1 subnet
- ff9f01d8-e8dd-55fa-9ed8-63e77d9f7067
    the server no longer lists the network
Plan: 2 to enable, 1 to disable, 1 to reload, 1 to restart, 1 unchanged.
"""


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _no_colour_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def write(path: Path, document: object) -> str:
    path.write_text(document if isinstance(document, str) else json.dumps(document), "utf-8")
    return str(path)


class TestPlan:
    def test_text(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(PLAN) == 0
        out, err = capsys.readouterr()
        assert out == TEXT
        assert err == ""

    def test_json_says_the_same(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([*PLAN, "--json"]) == 0
        listing = json.loads(capsys.readouterr().out)
        assert list(listing) == ["format_version", "summary", "changes", "brake", "unplanned", "unknown"]
        assert listing["format_version"] == 1
        assert listing["summary"] == {"enable": 2, "disable": 1, "reload": 1, "restart": 1, "unchanged": 1}
        assert [change["action"] for change in listing["changes"]] == [
            "reload",
            "enable",
            "restart",
            "enable",
            "disable",
        ]
        assert listing["changes"][3]["segment"] == "101"

    def test_it_is_the_same_every_time(self, capsys: pytest.CaptureFixture[str]) -> None:
        main([*PLAN, "--json"])
        first = capsys.readouterr().out
        main([*PLAN, "--json"])
        assert capsys.readouterr().out == first

    def test_detailed_exit_codes(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        same = ["plan", "--current", str(DATA / "served.json"), "--desired", str(DATA / "served.json")]
        assert main([*same, "--detailed-exitcode"]) == 0
        assert main([*PLAN, "--detailed-exitcode"]) == 2
        assert main(PLAN) == 0
        bad = write(tmp_path / "bad.json", [{}])
        assert main(["plan", "--current", bad, "--desired", bad, "--detailed-exitcode"]) == 1

    def test_settings_and_host(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        settings = write(tmp_path / "s.json", {"host": "network-1", "force_metadata": True, "no_such_option": 1})
        assert main([*PLAN, "--settings", settings]) == 0
        out, err = capsys.readouterr()
        assert out.count("metadata proxy: the network needs a metadata proxy") == 1
        assert err == f"dhcpcore: {settings}: option no_such_option is not known here and has no effect\n"
        assert main([*PLAN, "--host", "another"]) == 0
        # No port is that host's, so nothing is known to be gone, and only the new network has to be claimed.
        assert "Plan: 1 to enable, 1 to disable, 1 to reload, 1 to restart, 2 unchanged." in capsys.readouterr().out

    def test_a_note_is_one_line_whatever_it_tells_of(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        settings = write(tmp_path / "s.json", {"host": "network-1", "no\nsuch\x1b[31m\u2028option\x00": 1})
        assert main([*PLAN, "--settings", settings]) == 0
        option = r"no\nsuch\x1b[31m\u2028option\x00"
        told = f"dhcpcore: {settings}: option {option} is not known here and has no effect\n"
        assert capsys.readouterr().err == told

    def test_only(self, capsys: pytest.CaptureFixture[str]) -> None:
        build = "ff9f01d8-e8dd-55fa-9ed8-63e77d9f7067"
        assert main([*PLAN, "--only", build, "--only", "unheard-of"]) == 0
        out, err = capsys.readouterr()
        assert out.startswith("+ f889626a-fd32-53b0-8244-ff16af87c380 segment 101\n")
        assert out.endswith("Plan: 1 to enable, 1 to disable, 0 to reload, 0 to restart, 4 unchanged.\n")
        assert err == "dhcpcore: network unheard-of is neither served nor wanted\n"

    def test_several_hosts(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        served = json.loads((DATA / "served.json").read_text("utf-8"))
        one = served[0]
        other = {
            **one["ports"][0],
            "id": "other",
            "mac_address": "fa:16:3e:01:00:99",
            "device_id": f"dhcp6e1ddc86-5ef0-5ba2-a0a9-bd5f4b7d6b1f-{one['id']}",
        }
        one["ports"].append(other)
        path = write(tmp_path / "a.json", served)
        assert main(["plan", "--current", path, "--desired", path]) == 0
        out, err = capsys.readouterr()
        assert out == "Plan: 0 to enable, 0 to disable, 0 to reload, 0 to restart, 5 unchanged.\n"
        assert err == (
            "dhcpcore: there are DHCP ports of 2 hosts; assuming network-1, which has ports on 5 of 5 networks;"
            " say which with --host\n"
        )

    def test_the_brake_is_told_on_stderr(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        served = [{"id": f"n{number}", "subnets": [{"id": "s", "cidr": "10.0.0.0/24"}]} for number in range(12)]
        current, desired = write(tmp_path / "a.json", served), write(tmp_path / "b.json", [])
        assert main(["plan", "--current", current, "--desired", desired]) == 0
        out, err = capsys.readouterr()
        assert out.endswith("Plan: 0 to enable, 12 to disable, 0 to reload, 0 to restart, 0 unchanged.\n")
        assert err.startswith("dhcpcore: a full sync would hold 12 of 12 served networks back from being disabled")


class TestBadInput:
    def run(self, capsys: pytest.CaptureFixture[str], *argv: str) -> str:
        assert main(["plan", *argv]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        return err

    def test_every_bad_network_is_named(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        port = {"id": "p", "mac_address": "zz"}
        current = write(tmp_path / "a.json", [{"id": "n"}, {"id": "../n"}, {"id": "m", "ports": [port]}])
        desired = write(tmp_path / "b.json", [{"id": "n"}, {"id": "n"}])
        assert self.run(capsys, "--current", current, "--desired", desired).splitlines() == [
            f"dhcpcore: {current}: networks[1].id: expected an id of 1 to 200 letters, digits or ._@+=~-, not '.' or"
            " '..', got '../n'; correct it and run again",
            f"dhcpcore: {current}: networks[2].ports[0].mac_address: expected a MAC address like fa:16:3e:00:00:01,"
            " got 'zz'; correct it and run again",
            f"dhcpcore: {desired}: networks[1].id: expected an id that no other network of the answer has, got 'n';"
            " correct it and run again",
        ]

    @pytest.mark.parametrize(
        "text, message",
        [
            ("{}", "networks: expected a list, got a dict of 0; write a list of networks"),
            ("", "expected JSON, got something else at column 1 (Expecting value); write it anew"),
            ("[\n{]", "expected JSON, got something else at line 2 column 2"),
            ("[NaN]", "expected JSON, got NaN, which is no JSON number; write"),
            ("[" * 100_000, "expected JSON, got more levels of nesting than can be read; write"),
            ('[{"id": 1' + "0" * 5000 + "}]", "expected JSON"),
            ("\udcff", "expected JSON, got something else at column 1"),
        ],
    )
    def test_no_list_of_networks(
        self, text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "a.json"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        line, again = self.run(capsys, "--current", str(path), "--desired", str(path)).splitlines()
        assert line == again
        assert f"{path}: {message}" in line

    def test_files_that_cannot_be_read(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        missing = str(tmp_path / "none.json")
        err = self.run(capsys, "--current", missing, "--desired", str(tmp_path))
        assert err.splitlines() == [
            f"dhcpcore: {missing}: cannot be read: No such file or directory; check the path",
            f"dhcpcore: {tmp_path}: cannot be read: Is a directory; check the path",
        ]

    def test_bad_settings(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        networks = write(tmp_path / "a.json", [])
        settings = write(tmp_path / "s.json", {"dhcp_lease_duration": "long"})
        err = self.run(capsys, "--current", networks, "--desired", networks, "--settings", settings)
        assert err == (
            f"dhcpcore: {settings}: option dhcp_lease_duration: expected a whole number of at least -1, got 'long';"
            " correct it and run again\n"
        )
        err = self.run(capsys, "--current", networks, "--desired", networks, "--host", "")
        assert err.startswith("dhcpcore: --host: option host: expected ")


class TestUsage:
    @pytest.mark.parametrize(
        "argv, message",
        [
            ([], "dhcpcore: the following arguments are required: COMMAND; see dhcpcore --help\n"),
            (["plan", "--only"], "dhcpcore plan: argument --only: expected one argument; see dhcpcore plan --help"),
            (["plan", "--cur", "x"], "dhcpcore: unrecognized arguments: --cur x; see dhcpcore --help"),
            (["render"], "dhcpcore render: give a network.json and --out DIR, or --jsonl; see dhcpcore render"),
            (
                ["render", "--jsonl", "n.json", "--no-ipv6"],
                "dhcpcore render: --jsonl takes everything from the requests; leave out network.json, --no-ipv6; ",
            ),
        ],
    )
    def test_wrong_usage_ends_with_1(self, argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
        """2 says that a plan has changes, so nothing else may."""
        with pytest.raises(SystemExit) as ended:
            main(argv)
        assert ended.value.code == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(message)

    @pytest.mark.parametrize(
        "argv", [["--help"], *([name, "--help"] for name in ("agent", "apply", "plan", "render", "status"))]
    )
    def test_help_has_examples(self, argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            main(argv)
        assert ended.value.code == 0
        assert "\nexamples:\n  dhcpcore " in capsys.readouterr().out

    @pytest.mark.parametrize("name", ["agent", "apply", "explain", "plan", "render", "replay", "status", "sync"])
    def test_help_has_the_exit_codes(self, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main([name, "--help"])
        assert "\nexit codes: 0 " in capsys.readouterr().out

    def test_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main(["--version"])
        assert capsys.readouterr().out == f"dhcpcore {version('dhcpcore')}\n"


class TestTerminal:
    def of(self, monkeypatch: pytest.MonkeyPatch, out: io.StringIO, err: io.StringIO) -> Terminal:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        return Terminal.of_process()

    def test_colour_is_for_terminals(self, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal = self.of(monkeypatch, Screen(), io.StringIO())
        assert terminal.painted("+ net") == "\x1b[32m+ net\x1b[0m"
        assert terminal.painted("    - a reason") == "    - a reason"
        assert terminal.painted("Plan: 1 to enable") == "Plan: 1 to enable"
        assert not self.of(monkeypatch, io.StringIO(), Screen()).colour

    @pytest.mark.parametrize("name, value", [("NO_COLOR", "1"), ("TERM", "dumb")])
    def test_and_not_for_those_who_want_none(self, name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(name, value)
        assert not self.of(monkeypatch, Screen(), Screen()).colour

    def test_an_empty_no_color_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """https://no-color.org: when present and not an empty string."""
        monkeypatch.setenv("NO_COLOR", "")
        assert self.of(monkeypatch, Screen(), Screen()).colour

    def test_a_coloured_plan_is_the_plan(self, monkeypatch: pytest.MonkeyPatch) -> None:
        out = Screen()
        monkeypatch.setattr(sys, "stdout", out)
        assert main(PLAN) == 0
        text = out.getvalue()
        assert "\x1b[31m- ff9f01d8" in text
        for code in ("\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[35m", "\x1b[0m"):
            text = text.replace(code, "")
        assert text == TEXT

    def test_progress_shows_after_a_while_and_leaves_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 100.0
        monkeypatch.setattr("time.monotonic", lambda: now)
        err = Screen()
        with self.of(monkeypatch, io.StringIO(), err).progress() as progress:
            progress.show("too early")
            assert err.getvalue() == ""
            now += 1
            progress.show("10 done")
            progress.show("11 done")
            assert err.getvalue() == "\r\x1b[K10 done"
        assert err.getvalue() == "\r\x1b[K10 done\r\x1b[K"

    @pytest.mark.parametrize("out, err", [(Screen(), Screen()), (io.StringIO(), io.StringIO())])
    def test_no_progress_between_results_or_without_terminal(
        self, out: io.StringIO, err: io.StringIO, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert not self.of(monkeypatch, out, err).progress(beside_results=True).live


class TestProcess:
    """What only a process of its own can show."""

    def command(self, *argv: str) -> list[str]:
        return [sys.executable, "-m", "dhcpcore_adapters.cli", *argv]

    def test_the_module_is_the_command(self) -> None:
        done = subprocess.run(self.command(*PLAN), capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (0, TEXT, "")

    def test_a_reader_that_leaves_early(self, tmp_path: Path) -> None:
        networks = [{"id": f"n{number}", "subnets": [{"id": "s", "cidr": "10.0.0.0/24"}]} for number in range(3000)]
        desired, current = write(tmp_path / "b.json", networks), write(tmp_path / "a.json", [])
        process = subprocess.Popen(
            self.command("plan", "--current", current, "--desired", desired),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        with process:
            process.stdout.readline()
            process.stdout.close()
            assert process.wait(60) == 141
            assert process.stderr.read() == b""

    @pytest.mark.parametrize("argv", [PLAN, ["render", "--jsonl"]])
    def test_a_full_disk(self, argv: list[str]) -> None:
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                self.command(*argv), input="{}\n", stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
            )
        assert done.returncode == 1
        assert done.stderr == (
            "dhcpcore: results cannot be written: No space left on device; look at where stdout goes\n"
        )

    @pytest.mark.parametrize("argv", [PLAN, ["plan", "--help"], ["--version"], ["plan", "--current", "/none"], ["no"]])
    @pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
    def test_a_stream_that_is_closed(self, argv: list[str], closed: str) -> None:
        """As a service manager or a shell may start it: what nobody hears is lost, and no more."""
        code = 0 if argv in (PLAN, ["plan", "--help"], ["--version"]) else 1
        shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *self.command(*argv)]
        done = subprocess.run(shell, capture_output=True, text=True, timeout=60)
        assert done.returncode == code
        assert "Traceback" not in done.stderr
        assert not (closed.startswith("2") and argv is PLAN) or done.stdout == TEXT

    def test_stdin_that_is_closed_is_empty(self) -> None:
        shell = ["sh", "-c", 'exec "$@" <&-', "sh", *self.command("render", "--jsonl")]
        done = subprocess.run(shell, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_what_else_fails_is_not_called_a_failure_to_write_results(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def run(*_: object) -> int:
            raise OSError(errno.ENFILE, "Too many open files in system", "/run/some")

        monkeypatch.setattr("dhcpcore_adapters.cli.plan.run", run)
        assert main(PLAN) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err == (
            "dhcpcore: the system refused what this command needs: /run/some: Too many open files in system; "
            "see to that and run again\n"
        )

    def test_a_locale_without_the_characters(self, tmp_path: Path) -> None:
        settings = write(tmp_path / "s.json", {"dnsmasq_txt_record": "näme,1", "host": "h"})
        environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
        changed = [{"id": "n", "mtu": 1400, "subnets": [{"id": "s", "cidr": "10.0.0.0/24"}]}]
        path = write(tmp_path / "a.json", changed)
        done = subprocess.run(
            self.command("plan", "--current", path, "--desired", path, "--settings", settings, "--only", "ü"),
            capture_output=True,
            timeout=60,
            env=environment,
        )
        assert done.returncode == 0
        assert b"network \\xfc is neither served nor wanted" in done.stderr
