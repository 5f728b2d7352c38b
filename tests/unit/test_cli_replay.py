"""`dhcpcore replay`: a journal shown to people and programs, and what is said of one that is damaged."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from dhcpcore import describe_state, events, explain_network
from dhcpcore_adapters.cli import main
from support.recorded import RecordedScript
from support.script import network, port

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def script() -> RecordedScript:
    """Two networks are served, a port comes, its reload fails."""
    made = RecordedScript(network("a", ports=(port(1, "a"),)), network("b"))
    made.settle()
    made.now = 20.0
    made.tell(events.PortCreated(port=port(2, "a")))
    (reload,) = made.start()
    made.fail(reload, reason="no space left on device")
    return made


def written(script: RecordedScript, path: Path) -> Path:
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in script.life.lines).encode()))
    return path


@pytest.fixture
def journal(script: RecordedScript, tmp_path: Path) -> str:
    return str(written(script, tmp_path / "journal-00000001.jsonl.gz"))


def test_events_plans_and_reasons(journal: str, capsys: Capture) -> None:
    assert main(["replay", journal]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split(maxsplit=2)[2] == "checkpoint (an agent starts): 0 networks, no time of day"
    assert [line.strip() for line in lines[-4:-1]] == [
        f"{lines[-4].split()[0]}         20.000  a  port_create_end: port a-p2, revision 1",
        f"{lines[-3].split()[0]}         20.000  plan: reload",
        "~ reload a: file host differs; file addn_hosts differs",
    ]
    assert lines[-1].endswith("  a  reload failed (error): no space left on device")
    assert "0 differences from what was recorded" in err
    assert ", 1 failure;" in err


def test_a_directory_of_files(script: RecordedScript, journal: str, capsys: Capture) -> None:
    steps = len(script.life.states)
    place = len(script.life.lines)
    script.life.begin(script.state, script.now, why="continued", wall="2026-01-02T03:04:05+00:00")
    script.settle()
    script.life.lines = script.life.lines[place:]
    written(script, Path(journal).with_name("journal-00000002.jsonl.gz"))
    assert main(["replay", str(Path(journal).parent)]) == 0
    out, err = capsys.readouterr()
    assert "checkpoint (another file begins): 2 networks, 2026-01-02T03:04:05+00:00" in out
    assert f"{len(script.life.states)} steps" in err
    assert len(script.life.states) > steps


def test_the_state_at_any_step(script: RecordedScript, journal: str, capsys: Capture) -> None:
    for number in (1, 5, len(script.life.states)):
        for option in ("--until", "--step"):
            assert main(["replay", journal, option, str(number), "--json"]) == 0
            last = json.loads(capsys.readouterr().out.splitlines()[-1])
            assert last["step"] == number
            at = 20.0 if number == len(script.life.states) else 0.0
            assert last["state"] == describe_state(script.life.states[number - 1], at)
    assert main(["replay", journal, "--until", str(len(script.life.states))]) == 0
    assert "\nServes     2 networks, 2 subnets, 4 ports; 2 of 2 dnsmasq" in capsys.readouterr().out


def test_a_step_in_full(script: RecordedScript, journal: str, capsys: Capture) -> None:
    number = next(n for n, event in enumerate(script.life.events, start=2) if isinstance(event, events.PortCreated))
    assert main(["replay", journal, "--step", str(number)]) == 0
    out = capsys.readouterr().out
    assert '"is": "PortCreated"' in out
    assert '"mac_address": "fa:16:3e:00:00:02"' in out
    assert len([line for line in out.splitlines() if line.startswith("Agent ")]) == 1
    assert main(["replay", journal, "--step", str(number), "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    document = json.loads(line)
    assert document["kind"] == "PortCreated"
    assert document["networks"] == ["a"]
    assert document["event"]["port"]["id"] == "a-p2"


def test_one_network(script: RecordedScript, journal: str, capsys: Capture) -> None:
    assert main(["replay", journal, "--network", "b"]) == 0
    out = capsys.readouterr().out
    assert "a-p2" not in out
    assert "create_dhcp_port a" not in out
    assert "+ enable b: " in out
    assert "\nNetwork  b\nWanted   1 subnet (1 with DHCP), 1 port, MTU 1450\n" in out
    assert "\nBecause  what runs is what the server wants\n" in out
    assert main(["replay", journal, "--network", "a", "--json"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["state"] == explain_network(script.state, "a", 20.0)


def test_differences_are_told_and_end_with_2(script: RecordedScript, tmp_path: Path, capsys: Capture) -> None:
    lines = script.life.lines
    place = max(number for number, line in enumerate(lines) if json.loads(line).get("plan", {}).get("actions"))
    plan = json.loads(lines[place])
    plan["plan"]["digest"] = "0" * 16
    plan["plan"]["actions"][0]["kind"] = "restart"
    lines[place] = json.dumps(plan)
    path = str(written(script, tmp_path / "file"))
    assert main(["replay", path]) == 2
    out, err = capsys.readouterr()
    assert "! recorded and not planned now: restart a\n" in out
    assert "! planned now and not recorded: reload a\n" in out
    assert "the outcome of an action that is not known" in out
    assert "3 differences from what was recorded" in err


def test_json_lines(script: RecordedScript, journal: str, capsys: Capture) -> None:
    assert main(["replay", journal, "--json"]) == 0
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["step"] for one in documents] == sorted(one["step"] for one in documents)
    assert documents[0]["kind"] == "checkpoint"
    failed = documents[-1]
    assert (failed["kind"], failed["seq"], failed["at"]) == ("ActionFailed", script.state.seq, 20.0)
    planned = documents[-2]
    assert [action["kind"] for action in planned["plan"]["actions"]] == ["reload"]
    assert all(one["differences"] == [] for one in documents)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["nothing"], "nothing: cannot be read: No such file or directory; check the path, and whose file it is"),
        (["JOURNAL", "--step", "9999"], "steps, not 9999"),
        (["JOURNAL", "--step", "0"], "--step: expected the number of a step, from 1; see dhcpcore replay --help"),
        (["JOURNAL", "--step", "1", "--until", "2"], "not allowed with argument"),
    ],
)
def test_wrong_use(arguments: list[str], said: str, journal: str, capsys: Capture) -> None:
    try:
        code = main(["replay", *(journal if one == "JOURNAL" else one for one in arguments)])
    except SystemExit as ended:
        code = int(str(ended.code))
    assert code == 1
    assert said in capsys.readouterr().err


def test_damage_is_told_with_its_file_and_line(script: RecordedScript, tmp_path: Path, capsys: Capture) -> None:
    path = written(script, tmp_path / "journal-00000001.jsonl.gz")
    script.life.lines[3:3] = ['{"seq": "x\\u001b[31m"}']
    second = written(script, tmp_path / "journal-00000002.jsonl.gz")
    assert path != second
    assert main(["replay", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert f"{second}: line 4: seq: expected a whole number, got 'x\\x1b[31m'; begin with a later file" in err


def test_an_empty_file_and_a_cut_one(journal: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert main(["replay", str(tmp_path / "empty")]) == 1
    assert "it has 0 steps, not one" in capsys.readouterr().err
    whole = gzip.decompress(Path(journal).read_bytes())
    Path(journal).write_bytes(gzip.compress(whole[:-40]))
    assert main(["replay", journal]) == 0
    assert "the last line is cut off, and left out" in capsys.readouterr().err


def test_nothing_in_a_journal_steers_the_terminal(tmp_path: Path, capsys: Capture) -> None:
    made = RecordedScript(network("a"))
    made.tell(events.ResyncRequested(reason="\x1b[2J red", network_id="\x1b]0;x\x07"))
    assert main(["replay", str(written(made, tmp_path / "file")), "--until", "2"]) == 0
    out = capsys.readouterr().out
    assert "\\x1b[2J red" in out
    assert "\x1b" not in out
