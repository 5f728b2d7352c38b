"""Templates of a user's own, handed to an agent: each of the five frames its file."""

from __future__ import annotations

import json

import pytest
from attrs import evolve

from dhcpcore import HostCapabilities, SettingsError, Templates, actions, events
from dhcpcore.journal import decode_event, encode_event
from dhcpcore.recipes import Call, recipe
from support.script import Script, network, port

OURS = Templates(
    host="# our host\n{{ lines }}",
    addn_hosts="# our addn_hosts\n{{ lines }}",
    opts="# our opts\n{{ lines }}",
    leases="duid 00:01\n{{ lines }}",
    haproxy="# our haproxy of {{ proxy_id }}\n",
)


def started(templates: Templates | None) -> Script:
    """An agent that has started a network's instance and proxy."""
    script = Script(network(ports=(port(1),)), capabilities=HostCapabilities(), force_metadata=True)
    script.state = evolve(script.state, templates=templates)
    script.settle()
    return script


def written(action: actions.Action, script: Script, made: list[str] | None = None) -> dict[str, str]:
    """The texts that an action's recipe writes, by the files' names.

    Args:
        made: gets the methods that it calls.
    """
    texts: dict[str, str] = {}
    answer: object = None
    steps = recipe(action, script.settings)
    try:
        while True:
            call: Call = steps.send(answer)
            if made is not None:
                made.append(call.method)
            if (call.contract, call.method) == ("files", "write"):
                path, text = call.arguments
                texts[str(path).rpartition("/")[2]] = text
            answer = 7 if call.method.startswith("start_") else None
    except StopIteration:
        return texts


def test_all_five_frame_their_files() -> None:
    script = started(OURS)
    (enable,) = (action for action in script.history if isinstance(action, actions.EnableInstance))
    texts = written(enable, script)
    for name in ("host", "addn_hosts", "opts"):
        assert texts[name].startswith(f"# our {name}\n")
    assert texts["leases"] == "duid 00:01\n0 fa:16:3e:00:00:01 10.0.0.1 * *\n"
    (proxy,) = (action for action in script.history if isinstance(action, actions.StartProxy))
    assert proxy.spec.config == "# our haproxy of net\n"


def test_without_any_they_are_ours() -> None:
    script = started(None)
    (enable,) = (action for action in script.history if isinstance(action, actions.EnableInstance))
    assert written(enable, script)["leases"] == "0 fa:16:3e:00:00:01 10.0.0.1 * *\n"
    (proxy,) = (action for action in script.history if isinstance(action, actions.StartProxy))
    assert proxy.spec.config.startswith("\nglobal\n")


def test_what_an_action_is_to_write_is_journaled_with_it() -> None:
    script = started(OURS)
    (enable,) = (action for action in script.history if isinstance(action, actions.EnableInstance))
    told = events.ActionFailed(action=enable, reason="killed")
    back = decode_event(json.loads(json.dumps(encode_event(told))))
    assert isinstance(back, events.ActionFailed)
    assert written(back.action, script) == written(enable, script)


def test_another_leases_file_is_no_reason_to_start_an_instance_anew() -> None:
    """dnsmasq's own is what counts while it runs."""
    script = started(OURS)
    script.state = evolve(script.state, templates=evolve(OURS, leases="duid 00:02\n{{ lines }}"))
    script.kinds()
    script.now = 100.0
    script.tell(events.ResyncRequested(reason="asked"))
    script.settle()
    kinds = script.kinds()
    assert "fetch_networks" in kinds
    assert {"restart", "reload", "enable"}.isdisjoint(kinds)


def test_a_template_that_fails_is_no_reason_to_stop_the_instance_that_serves() -> None:
    script = started(evolve(OURS, leases="{{ lines }}{% if 1 / (lines | length) %}{% endif %}{{ unknown }}"))
    (enable,) = (action for action in script.history if isinstance(action, actions.EnableInstance))
    made: list[str] = []
    with pytest.raises(SettingsError, match=r"templates\.leases"):
        written(enable, script, made)
    assert "read" in made
    assert "stop_dnsmasq" not in made
