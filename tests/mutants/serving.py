"""Mutants of state and plan: what is remembered, asked for, started, reloaded, stopped and reported."""

from __future__ import annotations

from typing import Final

from mutants.mutant import Mutant, edit

_ANSWERS: Final = "state/answers.py"
_CLAIMS: Final = "state/claims.py"
_DIFF: Final = "plan/diff.py"
_NETWORK: Final = "plan/network.py"
_NOTICES: Final = "state/notifications.py"
_OBSERVATION: Final = "state/observation.py"
_OUTCOMES: Final = "state/outcomes.py"
_SERVER: Final = "plan/server.py"
_TOMBSTONES: Final = "state/tombstones.py"
_CASES: Final = "tests/unit/test_state_and_plan.py"
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
            'return _stop_proxy(state, record, "the network needs no metadata proxy")',
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
            "actions: list[Action] = _stop_proxy(state, record, reason)",
            "actions: list[Action] = _stop_proxy(state, record, reason) if record.desired is not None else []",
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
        edits=edit(_OBSERVATION, "candidates = {*state.networks, *found}", "candidates = set(state.networks)"),
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
        killer=f"{_CASES}::TestOurPort::test_a_port_bound_to_another_host_is_not_ours",
    ),
    # -- segments
    Mutant(
        name="the-namespace-goes-with-a-segment",
        bugs=("2051729",),
        museum=("L1", "SEG"),
        brings_back="when one segment's instance goes, the namespace goes, under the other segments",
        edits=edit(
            _NETWORK,
            "return [*_stop_proxy_of(state, record, actions), *actions], False",
            'gone = _remove_namespace(record, "its segment is gone")\n'
            "        return [*_stop_proxy_of(state, record, actions), *actions, *gone], False",
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
        killer=f"{_CASES}::TestSegments::test_observation_finds_instances_of_segments",
    ),
    Mutant(
        name="the-old-instance-takes-the-segments-port-along",
        bugs=("2049615",),
        museum=("SEG",),
        brings_back="a network gets segments: disabling what served it before releases the port that serves it now",
        edits=edit(
            _NETWORK,
            "actions.append(evolve(gone, device_id=None) if gone.device_id in kept else gone)",
            "actions.append(gone)",
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
    # -- late, lost and overtaken
    Mutant(
        name="a-late-create-brings-a-deleted-port-back",
        bugs=(),
        museum=("L5", "RACE"),
        brings_back="a create that arrives after the delete brings the port back, and reports it ready",
        edits=edit(
            _NOTICES,
            "    if port.id in state.tombstones:\n",
            "    if port.id in state.tombstones and isinstance(event, events.PortUpdated):\n",
        ),
        killer=f"{_CASES}::TestPorts::test_a_late_create_does_not_bring_a_deleted_port_back",
    ),
    Mutant(
        name="an-answer-wins-over-later-events",
        bugs=("1732456",),
        museum=("RACE",),
        brings_back="a port that was deleted while the server was answering comes back with the answer",
        edits=edit(
            _ANSWERS,
            """        if state.recent.get(port.id, -1) > sent_seq:
            if mine is not None:
                now.append(mine)
        elif state.tombstones.seq_of(port.id) <= sent_seq:
            now.append(mine if mine is not None and mine == port else port)
""",
            """        now.append(mine if mine is not None and mine == port else port)
""",
        ),
        killer=f"{_CASES}::TestFullSync::test_events_after_the_question_win_over_the_answer",
    ),
    Mutant(
        name="events-of-unknown-networks-are-lost",
        bugs=("1659919",),
        museum=("RACE",),
        brings_back="a port of a network that is just being asked for is lost: network unknown",
        edits=edit(
            _NOTICES,
            """        return evolve(state, late=state.late.set(network_id, state.seq))
    return state


def _network_of_port""",
            """        return state
    return state


def _network_of_port""",
        ),
        killer=f"{_CASES}::TestFullSync::test_a_port_of_an_unknown_network_that_is_being_listed_is_not_lost",
    ),
    Mutant(
        name="one-address-two-owners",
        bugs=("1913723", "1645835"),
        museum=("RACE", "CACHE"),
        brings_back="a create of a reused address overtakes the delete, and both ports are served with it",
        edits=edit(_NOTICES, "    if holders:\n", "    if holders and known is not None:\n"),
        killer=f"{_CASES}::TestPorts::test_a_reused_address_asks_the_server_which_port_has_it",
    ),
    Mutant(
        name="a-second-sync-before-the-first-has-ended",
        bugs=("1257514",),
        museum=("RACE",),
        brings_back="full syncs overtake one another",
        edits=edit(
            _SERVER,
            'if due is not None and due <= now and "fetch_networks" not in state.in_flight:',
            "if due is not None and due <= now:",
        ),
        killer=f"{_MUSEUM}::TestSync::test_one_full_sync_at_a_time",
    ),
    # -- what is remembered
    Mutant(
        name="the-port-just-claimed-is-not-remembered",
        bugs=("2126570",),
        museum=("CACHE",),
        brings_back="the network is remembered without the DHCP port that was just created for it",
        edits=edit(_CLAIMS, "    record = with_port(record, port, position, before)\n", ""),
        killer=f"{_CASES}::test_a_new_network_is_claimed_enabled_and_reported_then_there_is_nothing_to_do",
    ),
    Mutant(
        name="a-subnet-is-its-id-and-range",
        bugs=("1805824",),
        museum=("CACHE",),
        brings_back="switching DHCP on is taken for no change: dnsmasq is not restarted with the new range",
        edits=edit(
            _NOTICES,
            "elif event.subnet in record.desired.all_subnets:",
            "elif (event.subnet.id, event.subnet.cidr) in {(s.id, s.cidr) for s in record.desired.all_subnets}:",
        ),
        killer=f"{_MUSEUM}::TestSync::test_enabling_dhcp_on_a_subnet_restarts",
    ),
    Mutant(
        name="a-new-mtu-is-no-news",
        bugs=("1671634",),
        museum=("CACHE",),
        brings_back="an MTU change does not reach the DHCP port",
        edits=edit(_NOTICES, " and event.mtu in (None, network.mtu)\n", "\n"),
        killer=f"{_CASES}::TestNetworks::test_a_new_mtu_restarts",
    ),
    Mutant(
        name="order-is-a-difference",
        bugs=("1848738",),
        museum=("RENDER", "HUP"),
        brings_back="an answer in another order writes and reloads everything",
        edits=edit(
            "plan/canonical.py",
            "if not _both(served.host, desired.host, same_hosts):",
            "if served.host != desired.host:",
        ),
        killer=f"{_MUSEUM}::TestRestartOfDnsmasq::test_a_permutation_of_the_answer_signals_nobody",
    ),
    # -- syncs
    Mutant(
        name="a-partial-sync-fetches-everything",
        bugs=(),
        museum=("L10", "RESYNC"),
        brings_back="a resync of one network fetches all networks",
        edits=edit(
            "state/fold.py",
            "    if event.network_id is None:\n",
            "    if event.reason:\n",
        ),
        killer=f"{_CASES}::TestPartialSync::test_it_fetches_and_touches_the_named_network_only",
    ),
    Mutant(
        name="a-failed-partial-sync-becomes-a-full-one",
        bugs=("1495592", "1384402"),
        museum=("RESYNC",),
        brings_back="one network that cannot be fetched makes the agent sync all of them",
        edits=edit(
            _OUTCOMES,
            "            return forget_fetches(put(state, evolve(record, need_retry=retry)))\n",
            "            return forget_fetches(need_full_fetch(state, retry.reason))\n",
        ),
        killer=f"{_CASES}::TestPartialSync::test_its_failure_asks_again_for_exactly_that",
    ),
    Mutant(
        name="told-again-is-news",
        bugs=("1824802",),
        museum=("RESYNC",),
        brings_back="a re-delivered create is worked on again",
        edits=edit(
            _NOTICES,
            "if known.revision_number > port.revision_number or known == port:",
            "if known.revision_number > port.revision_number:",
        ),
        killer=f"{_CASES}::TestPorts::test_told_again_changes_nothing",
    ),
    Mutant(
        name="exhaustion-is-tried-for-ever",
        bugs=("1447883",),
        museum=("RESYNC",),
        brings_back="a subnet without a free address makes the agent claim its port again and again",
        edits=edit(
            _CLAIMS,
            'if event.fault == "address_exhausted" or not event.retryable:',
            "if not event.retryable:",
        ),
        killer=f"{_CASES}::TestOurPort::test_exhaustion_waits_for_news",
    ),
    Mutant(
        name="every-event-looks-at-every-network",
        bugs=("1202722", "1290068"),
        museum=("SCALE",),
        brings_back="one port event costs a look at all networks",
        edits=edit(
            "plan/__init__.py", "examined = sorted({*state.touched, *due_again})", "examined = sorted(state.networks)"
        ),
        killer=f"{_MUSEUM}::TestSync::test_a_port_event_asks_the_server_nothing_and_looks_at_one_network",
    ),
    # -- the DHCP port
    Mutant(
        name="a-port-that-another-agent-claimed",
        bugs=("1425402", "1651512"),
        museum=("PORT",),
        brings_back="two agents take one reserved port: who was slower believes to have it",
        edits=edit(
            _CLAIMS,
            "if port is None or port.network_id != record.id or not is_ours(state, port):",
            "if port is None:",
        ),
        killer=f"{_MUSEUM}::TestDhcpPort::test_a_reserved_port_that_another_agent_was_faster_to_claim_is_not_served_on",
    ),
    Mutant(
        name="claims-do-not-wait-for-the-server",
        bugs=("1829332",),
        museum=("PORT",),
        brings_back="a second DHCP port is created while what is known of the network is out of date",
        edits=edit(
            _NETWORK,
            'settled = record.need is None and f"fetch:{record.id}" not in state.in_flight',
            "settled = True",
        ),
        killer=f"{_MUSEUM}::TestDhcpPort::test_no_claim_before_the_server_was_asked_again",
    ),
    Mutant(
        name="an-address-that-was-not-given-is-not-missed",
        bugs=("1627480", "1841636"),
        museum=("PORT",),
        brings_back="the port comes back without the address that was asked for, and is asked for again at once",
        edits=edit(_CLAIMS, "    if asked - got:\n", "    if got - asked:\n"),
        killer=f"{_CASES}::TestOurPort::test_an_answer_without_the_address_asked_for_backs_off",
    ),
    # -- ready ports
    Mutant(
        name="all-ports-in-one-report",
        bugs=("1834257",),
        museum=("READY",),
        brings_back="10,000 ready ports in one call, which times out and is made again for ever",
        edits=edit(_SERVER, "size = state.settings.ready_ports_batch", "size = max(1, len(order))"),
        killer=f"{_CASES}::TestReady::test_batches_of_64_those_that_somebody_waits_for_first",
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
        edits=edit(_ANSWERS, '        elif port.status == "ACTIVE":\n            continue\n', ""),
        killer=f"{_CASES}::TestReady::test_none_is_reported_where_all_are_active",
    ),
    Mutant(
        name="ports-of-networks-without-dhcp-are-reported",
        bugs=("1953478",),
        museum=("READY",),
        brings_back="ports are reported ready though nobody serves them",
        edits=edit(
            _NETWORK,
            'return _stop_all(state, record, "no subnet with DHCP", now), False',
            'return _stop_all(state, record, "no subnet with DHCP", now), True',
        ),
        killer=f"{_CASES}::TestReady::test_a_network_without_dhcp_reports_nothing",
    ),
    # -- heartbeats
    Mutant(
        name="a-revived-agent-asks-nothing",
        bugs=("1505166",),
        museum=("RPC",),
        brings_back="an agent that was taken for dead does not ask what it missed",
        edits=edit(_OUTCOMES, 'if answer in ("revived", "new") and', 'if answer == "new" and'),
        killer=f"{_CASES}::TestHeartbeat::test_revived_asks_for_everything",
    ),
    Mutant(
        name="an-agent-is-content-with-what-a-server-said-that-held-it-for-dead",
        bugs=("1505166",),
        museum=("RPC",),
        brings_back="what was asked together with the report that revives is not asked again",
        edits=edit(_OUTCOMES, "and state.sync.sent_seq >= 0:", 'and "fetch_networks" not in state.in_flight:'),
        killer=f"{_CASES}::TestHeartbeat::test_what_was_asked_before_the_server_knew_that_we_live_is_asked_again",
    ),
    Mutant(
        name="heartbeats-wait-for-their-turn",
        bugs=("1496410", "1191768"),
        museum=("RPC",),
        brings_back="while anything is under way no heartbeat is sent, and the agent is taken for dead",
        edits=edit(
            _SERVER,
            'if state.reports and heartbeat.due <= now and "report_state" not in state.in_flight:',
            "if state.reports and heartbeat.due <= now and not state.in_flight:",
        ),
        killer=f"{_MUSEUM}::TestSync::test_heartbeats_go_on_whatever_else_is_under_way",
    ),
    Mutant(
        name="nothing-is-served-before-the-first-heartbeat",
        bugs=(),
        museum=("L12", "RPC"),
        brings_back="events are not handled until the first heartbeat was answered",
        edits=edit(
            _NETWORK,
            "if not state.observation.done or",
            "if state.heartbeat.start_flag or not state.observation.done or",
        ),
        killer=f"{_CASES}::TestFirstContact::test_events_are_served_without_a_heartbeat",
    ),
    Mutant(
        name="events-wait-for-a-sync",
        bugs=(),
        museum=("L8",),
        brings_back="while all networks are being asked for, no port event is handled",
        edits=edit(
            _NETWORK,
            "if not state.observation.done or",
            'if "fetch_networks" in state.in_flight or not state.observation.done or',
        ),
        killer=f"{_MUSEUM}::TestSync::test_a_port_event_does_not_wait_for_a_sync",
    ),
    # -- failures and memory
    Mutant(
        name="a-failure-drops-what-waits",
        bugs=(),
        museum=("L4",),
        brings_back="a failed action drops its network's waiting events, and nothing asks for them again",
        edits=edit(
            _OUTCOMES,
            "    return put(state, evolve(record, retry=retry, observe=True, host_seq=state.seq))\n",
            "    waiting = state.touched.delete(record.id) if record.id in state.touched else state.touched\n"
            "    return evolve(put(state, evolve(record, host_seq=state.seq), touch=False), touched=waiting)\n",
        ),
        killer=f"{_MUSEUM}::TestSync::test_a_failed_reload_forgets_nothing_that_waits",
    ),
    Mutant(
        name="deleted-ports-are-remembered-for-ever",
        bugs=("1732458",),
        museum=("MEM",),
        brings_back="tombstones never age",
        edits=edit(_TOMBSTONES, "        if since < half:\n", "        if since >= 0.0:\n"),
        killer=f"{_MUSEUM}::TestMemory::test_tombstones_age_in_both_generations",
    ),
    Mutant(
        name="one-of-two-structures-ages",
        bugs=("1930838",),
        museum=("MEM",),
        brings_back="deleted ports are kept in two structures, and only one of them is aged",
        edits=edit(
            _TOMBSTONES,
            "return Tombstones(old=self.young, turned_at=self.turned_at + half)",
            "return Tombstones(young=self.young, turned_at=self.turned_at + half)",
        ),
        killer=f"{_MUSEUM}::TestMemory::test_tombstones_age_in_both_generations",
    ),
    Mutant(
        name="reasons-are-kept-as-they-come",
        bugs=("1969270",),
        museum=("L14", "MEM"),
        brings_back="the reason of a failure is kept whole, however much hangs on it",
        edits=edit(
            "state/records.py",
            'return line if len(line) <= 400 else line[:399] + "…"',
            "return reason",
        ),
        killer=f"{_CASES}::TestFailures::test_reasons_are_short_strings",
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
