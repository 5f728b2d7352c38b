"""Mutants of state and plan: what the server said, what is remembered of it, and what it is asked."""

from __future__ import annotations

from typing import Final

from mutants.mutant import Mutant, edit

_ANSWERS: Final = "state/answers.py"
_CLAIMS: Final = "state/claims.py"
_NETWORK: Final = "plan/network.py"
_NOTICES: Final = "state/notifications.py"
_OUTCOMES: Final = "state/outcomes.py"
_SERVER: Final = "plan/server.py"
_TOMBSTONES: Final = "state/tombstones.py"
_UNIT: Final = "tests/unit"
_MUSEUM: Final = "tests/unit/test_museum_state.py"

ASKING: Final = (
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
        killer=f"{_UNIT}/test_state_and_plan.py::TestPorts::test_a_late_create_does_not_bring_a_deleted_port_back",
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
        killer=f"{_UNIT}/test_sync.py::TestFullSync::test_events_after_the_question_win_over_the_answer",
    ),
    Mutant(
        name="whoever-is-loaded-is-ready",
        bugs=(),
        museum=("LEASE",),
        brings_back="a port is reported whose address dnsmasq holds for the client that had it before",
        edits=edit(
            "state/releases.py", "        if port.id in record.awaiting_ready and", "        if not port.id and"
        ),
        killer=f"{_UNIT}/test_leases_left.py::test_whose_address_another_still_has_is_not_ready",
    ),
    Mutant(
        name="the-mark-tells-nothing-of-what-moved",
        bugs=(),
        museum=("LEASE",),
        brings_back="after a kill, or a release that failed, an IPv6 address stays the lease of who had it before",
        edits=edit("recipes/instance.py", '"write", (mark, removed))', '"write", (mark, ""))'),
        killer=f"{_UNIT}/test_moved_addresses.py::test_whatever_is_cut_off[True-True]",
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
        killer=f"{_UNIT}/test_sync.py::TestFullSync::test_a_port_of_an_unknown_network_that_is_being_listed_is_not_lost",
    ),
    Mutant(
        name="one-address-two-owners",
        bugs=("1913723", "1645835"),
        museum=("RACE", "CACHE"),
        brings_back="a create of a reused address overtakes the delete, and both ports are served with it",
        edits=edit(_NOTICES, "    if holders:\n", "    if holders and known is not None:\n"),
        killer=f"{_UNIT}/test_state_and_plan.py::TestPorts::test_a_reused_address_asks_the_server_which_port_has_it",
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
        killer=f"{_UNIT}/test_state_and_plan.py::test_a_new_network_is_claimed_enabled_and_reported_then_there_is_nothing_to_do",
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
        killer=f"{_UNIT}/test_state_and_plan.py::TestNetworks::test_a_new_mtu_restarts",
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
        killer=f"{_UNIT}/test_sync.py::TestPartialSync::test_it_fetches_and_touches_the_named_network_only",
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
        killer=f"{_UNIT}/test_sync.py::TestPartialSync::test_its_failure_asks_again_for_exactly_that",
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
        killer=f"{_UNIT}/test_state_and_plan.py::TestPorts::test_told_again_changes_nothing",
    ),
    Mutant(
        name="exhaustion-is-tried-for-ever",
        bugs=("1447883",),
        museum=("RESYNC",),
        brings_back="a subnet without a free address makes the agent claim its port again and again",
        edits=edit(
            _CLAIMS,
            'if not gives_back and (event.fault == "address_exhausted" or not event.retryable):',
            "if not gives_back and not event.retryable:",
        ),
        killer=f"{_UNIT}/test_dhcp_port.py::TestOurPort::test_exhaustion_waits_for_news",
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
        killer=f"{_UNIT}/test_dhcp_port.py::TestOurPort::test_an_answer_without_the_address_asked_for_backs_off",
    ),
    # -- heartbeats
    Mutant(
        name="a-revived-agent-asks-nothing",
        bugs=("1505166",),
        museum=("RPC",),
        brings_back="an agent that was taken for dead does not ask what it missed",
        edits=edit(_OUTCOMES, 'if answer in ("revived", "new") and', 'if answer == "new" and'),
        killer=f"{_UNIT}/test_state_and_plan.py::TestHeartbeat::test_revived_asks_for_everything",
    ),
    Mutant(
        name="an-agent-is-content-with-what-a-server-said-that-held-it-for-dead",
        bugs=("1505166",),
        museum=("RPC",),
        brings_back="what was asked together with the report that revives is not asked again",
        edits=edit(_OUTCOMES, "and state.sync.sent_seq >= 0:", 'and "fetch_networks" not in state.in_flight:'),
        killer=f"{_UNIT}/test_state_and_plan.py::TestHeartbeat::test_what_was_asked_before_the_server_knew_that_we_live_is_asked_again",
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
        killer=f"{_UNIT}/test_brake.py::TestFirstContact::test_events_are_served_without_a_heartbeat",
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
            "    return put(state, evolve(record, retry=after_failure(state.settings, record.retry, event)))\n",
            "    waiting = state.touched.delete(record.id) if record.id in state.touched else state.touched\n"
            "    return evolve(put(state, evolve(record, observe=False), touch=False), touched=waiting)\n",
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
        name="deleted-ports-outlive-a-full-sync",
        bugs=(),
        museum=("MEM",),
        brings_back="a full answer settles nothing: what was deleted before it stays in memory until it is old",
        edits=edit(
            _TOMBSTONES,
            "young=Map({port: s for port, s in self.young.items() if s > seq}),",
            "young=self.young,",
        ),
        killer="tests/agent/test_memory.py::test_memory_does_not_grow_with_what_comes_and_goes",
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
        killer=f"{_UNIT}/test_failures.py::TestFailures::test_reasons_are_short_strings",
    ),
)
