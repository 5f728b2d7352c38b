"""Mutants of state and plan: what is started, reloaded, stopped, cleaned up and reported."""

from __future__ import annotations

from typing import Final

from mutants.mutant import Mutant, edit

_ANSWERS: Final = "state/answers.py"
_DIFF: Final = "plan/diff.py"
_NETWORK: Final = "plan/network.py"
_OBSERVATION: Final = "state/observation.py"
_SERVER: Final = "plan/server.py"
_UNIT: Final = "tests/unit"
_MUSEUM: Final = "tests/unit/test_museum_state.py"
_PROXIES: Final = "tests/unit/test_museum_metadata.py"

SERVING: Final = (
    # -- metadata proxies
    Mutant(
        name="stopped-under-another-id",
        bugs=("1526084",),
        museum=("META",),
        brings_back="a proxy is started for the router and stopped for the network: it is never killed",
        edits=edit(_NETWORK, "        proxy_id=proxy.proxy_id,\n", "        proxy_id=record.id,\n"),
        killer=f"{_PROXIES}::test_a_proxy_ends_under_the_id_that_it_was_started_under",
    ),
    Mutant(
        name="a-router-stops-no-proxy",
        bugs=("1753540",),
        museum=("META",),
        brings_back="a network that gets a router keeps its proxy until the agent is started again",
        edits=edit(
            _NETWORK,
            'return _stop_proxy(state, record, "the network needs no metadata proxy", now)',
            "return []",
        ),
        killer=f"{_PROXIES}::test_a_router_port_that_comes_or_goes_stops_or_starts_the_proxy",
    ),
    Mutant(
        name="an-emptied-network-has-no-proxy",
        bugs=("1648095",),
        museum=("META",),
        brings_back="whether a deleted network had a proxy is asked of what is left of it: nothing, so it stays",
        edits=edit(
            _NETWORK,
            "actions: list[Action] = _stop_proxy(state, record, reason, now)",
            "actions: list[Action] = _stop_proxy(state, record, reason, now) if record.desired is not None else []",
        ),
        killer=f"{_PROXIES}::test_a_deleted_network_takes_its_proxy_along",
    ),
    # -- processes
    Mutant(
        name="restart-is-disable-and-enable",
        bugs=("1410982",),
        museum=("PROC",),
        brings_back="a restart removes the directory, the device and the DHCP port, and begins from nothing",
        edits=edit(
            _DIFF,
            "return RestartInstance(key=spec.key, spec=spec, reasons=wrong, repair=repair)",
            "from dhcpcore.actions import DisableInstance\n\n"
            "        now = served.spec\n"
            "        own_id = settings.dhcp_device_id(spec.key.network_id, spec.key.segmentation)\n"
            "        return DisableInstance(key=spec.key, directory=now.directory, namespace=now.device.namespace,\n"
            "                               device=now.device.name, device_id=own_id, reasons=wrong)",
        ),
        killer=f"{_MUSEUM}::TestRestartOfDnsmasq::test_port_namespace_and_leases_are_kept",
    ),
    Mutant(
        name="any-death-counts",
        bugs=(),
        museum=("PROC",),
        brings_back="the late news of an earlier process's death starts a second dnsmasq beside the first",
        edits=edit("state/deaths.py", "return pid is not None and known is not None and pid != known", "return False"),
        killer=f"{_MUSEUM}::TestRestartOfDnsmasq::test_the_death_of_an_earlier_process_starts_no_second_one",
    ),
    Mutant(
        name="any-success-ends-a-pause",
        bugs=(),
        museum=("PROC",),
        brings_back="two processes of a network that die in turn are started over and over without a pause",
        edits=edit("state/outcomes.py", "record.retry is not None and record.retry.not_before <= at:", "True:"),
        killer=f"{_UNIT}/test_crash_loops.py::test_two_that_die_in_turn_are_paced",
    ),
    Mutant(
        name="what-dies-before-its-start-is-told-is-not-counted",
        bugs=(),
        museum=("PROC",),
        brings_back="a dnsmasq that dies at once is started over and over, and its ports are reported ready",
        edits=edit(
            "state/outcomes.py",
            "        return state, deaths.instance_died(state, record, action.key, death)\n",
            "        pass\n",
        ),
        killer=f"{_UNIT}/test_failures.py::TestFailures::test_one_that_dies_before_its_start_is_told_is_paced_too",
    ),
    Mutant(
        name="every-restart-of-the-agent-restarts-dnsmasq",
        bugs=(),
        museum=("L11", "PROC"),
        brings_back="what an earlier life of the agent started is started anew",
        edits=edit(_DIFF, "    if wrong:\n", "    if wrong or served.adopted:\n"),
        killer=f"{_MUSEUM}::TestRestartOfTheAgent::test_it_restarts_nothing",
    ),
    # -- what is left behind
    Mutant(
        name="only-what-is-known-is-cleaned",
        bugs=("1195770",),
        museum=("CLEAN",),
        brings_back="networks that were deleted while the agent was down leave their directories for ever",
        edits=edit(_OBSERVATION, "{*state.networks, *found, *unreadable}", "set(state.networks)"),
        killer=f"{_MUSEUM}::TestRestartOfTheAgent::test_what_was_deleted_meanwhile_is_removed",
    ),
    Mutant(
        name="stray-devices-stay",
        bugs=("1561695", "1625325"),
        museum=("CLEAN",),
        brings_back="devices that belong to no DHCP port pile up in the namespace",
        edits=edit(
            _NETWORK,
            "    actions.extend(_strays(record, _devices(record, serving)))\n",
            "",
        ),
        killer=f"{_MUSEUM}::TestCleaning::test_devices_of_nobody_go",
    ),
    Mutant(
        name="another-hosts-port-is-plugged-here",
        bugs=("2130885",),
        museum=("CLEAN", "PORT"),
        brings_back="a DHCP port that is bound to another host is plugged here too: one address twice",
        edits=edit(
            "plan/dhcp_port.py",
            'port.device_id == own_id and port.binding_host_id in (None, "", settings.host)',
            "port.device_id == own_id",
        ),
        killer=f"{_UNIT}/test_dhcp_port.py::TestOurPort::test_a_port_bound_to_another_host_is_not_ours",
    ),
    # -- segments
    Mutant(
        name="the-namespace-goes-with-a-segment",
        bugs=("2051729",),
        museum=("L1", "SEG"),
        brings_back="when one segment's instance goes, the namespace goes, under the other segments",
        edits=edit(
            _NETWORK,
            "return Needs([*_stop_proxy_of(state, record, actions, now), *actions])",
            'gone = _remove_namespace(record, "its segment is gone")\n'
            "        return Needs([*_stop_proxy_of(state, record, actions, now), *actions, *gone])",
        ),
        killer=f"{_MUSEUM}::TestSegments::test_a_segment_that_goes_takes_nothing_of_the_others_along",
    ),
    Mutant(
        name="directories-of-segments-are-not-found",
        bugs=(),
        museum=("L3", "SEG", "CLEAN"),
        brings_back="instances of segments are not found on the host, hence never cleaned",
        edits=edit(
            _OBSERVATION,
            "    for instance in observed.instances:\n",
            "    for instance in observed.instances:\n"
            "        if instance.key.segmentation is not None:\n"
            "            continue\n",
        ),
        killer=f"{_UNIT}/test_segments.py::TestSegments::test_observation_finds_instances_of_segments",
    ),
    Mutant(
        name="the-old-instance-takes-the-segments-port-along",
        bugs=("2049615",),
        museum=("SEG",),
        brings_back="a network gets segments: disabling what served it before releases the port that serves it now",
        edits=edit(
            _NETWORK,
            "            gone = evolve(gone, device_id=None) if gone.device_id in kept else gone\n",
            "",
        ),
        killer=f"{_MUSEUM}::TestSegments::test_a_network_that_gets_segments_keeps_what_its_segments_serve_on",
    ),
    Mutant(
        name="claimed-under-one-key-released-under-another",
        bugs=("2051690",),
        museum=("SEG",),
        brings_back="a segment's port is claimed under the segment's device id and released under the network's",
        edits=edit(
            _NETWORK,
            "        device_id=device_id(state.settings, key),\n",
            "        device_id=state.settings.dhcp_device_id(key.network_id, None),\n",
        ),
        killer=f"{_MUSEUM}::TestSegments::test_a_segments_instance_gives_its_own_port_back",
    ),
    # -- ready ports
    Mutant(
        name="all-ports-in-one-report",
        bugs=("1834257",),
        museum=("READY",),
        brings_back="10,000 ready ports in one call, which times out and is made again for ever",
        edits=edit(_SERVER, "size = state.settings.ready_ports_batch", "size = max(1, len(queue))"),
        killer=f"{_UNIT}/test_ready.py::TestReady::test_batches_of_64_those_that_somebody_waits_for_first",
    ),
    Mutant(
        name="ports-of-an-answer-are-not-reported",
        bugs=("1639806",),
        museum=("READY",),
        brings_back="ports first seen when a network is asked for again are never reported: machines wait in vain",
        edits=edit(
            _ANSWERS,
            "        if port.id in awaiting:\n            continue\n",
            "        if known is not None or port.id in awaiting:\n            continue\n",
        ),
        killer=f"{_MUSEUM}::TestSync::test_a_port_first_seen_in_an_answer_is_reported",
    ),
    Mutant(
        name="every-port-at-every-sync",
        bugs=("1639086",),
        museum=("READY",),
        brings_back="each sync reports all ports again",
        edits=edit(
            _ANSWERS, '        elif port.status == "ACTIVE" and port.id not in left:\n            continue\n', ""
        ),
        killer=f"{_UNIT}/test_ready.py::TestReady::test_none_is_reported_again_where_all_are_active",
    ),
    Mutant(
        name="active-ports-of-what-is-enabled-are-not-reported",
        bugs=(),
        museum=("READY",),
        brings_back="an ACTIVE port for which the server waits since before this host served it waits for ever",
        edits=edit(
            "plan/unreported.py",
            "if isinstance(action, EnableInstance):",
            "if False:",
        ),
        killer=f"{_UNIT}/test_unreported.py::test_an_instance_that_is_enabled_has_its_active_ports_reported_too",
    ),
    Mutant(
        name="what-was-reported-is-reported-by-every-later-start",
        bugs=("1639086",),
        museum=("READY",),
        brings_back="the mark that names ports to be reported outlives the report",
        edits=edit(_NETWORK, "return forgets(state, record, view.key), spec", "return [], spec"),
        killer=f"{_UNIT}/test_unreported.py::test_a_mark_is_forgotten_once_all_it_names_were_reported_and_not_before",
    ),
    Mutant(
        name="ports-of-networks-without-dhcp-are-reported",
        bugs=("1953478",),
        museum=("READY",),
        brings_back="ports are reported ready though nobody serves them",
        edits=edit(
            _NETWORK,
            'return Needs(_stop_all(state, record, "no subnet with DHCP", now))',
            'return Needs(_stop_all(state, record, "no subnet with DHCP", now), settled=True)',
        ),
        killer=f"{_UNIT}/test_ready.py::TestReady::test_a_network_without_dhcp_reports_nothing",
    ),
    # -- reloads
    Mutant(
        name="a-reload-for-every-event",
        bugs=(),
        museum=("HUP",),
        brings_back="each event is a rewrite and a signal of its own, even while another one runs",
        edits=edit(_NETWORK, ' or f"network:{record.id}" in state.in_flight or not _due', " or not _due"),
        killer=f"{_MUSEUM}::TestReload::test_events_that_wait_cost_one_more_reload",
    ),
)
