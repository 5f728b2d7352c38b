"""What failed: when it is tried again, and what else it touches."""

from __future__ import annotations

from attrs import evolve

from dhcpcore import actions, events
from dhcpcore.model.spec import InstanceKey
from dhcpcore.observed import ObservedDevice, ObservedHost, ObservedInstance, ObservedProcess, ObservedProxy
from dhcpcore.state.records import LastDeath
from support.as_served import observed
from support.script import network, port, serving

KEY = InstanceKey(network_id="net")


class TestFailures:
    def test_a_failed_action_is_retried_after_a_look_at_the_host_and_loses_no_event(self) -> None:
        """L4: an exception in one event's handler silently drops that network's queued events."""
        script = serving()
        script.tell(events.PortCreated(port=port(5)))
        (reload,) = script.start().actions
        script.tell(events.PortCreated(port=port(6)))
        script.fail(reload, reason="disk full")
        assert not script.plan()
        script.now = 1.0
        (look,) = script.start().actions
        assert isinstance(look, actions.ObserveHost)
        assert look.network_id == "net"
        served = script.record().served[KEY]
        device = served.spec.device
        script.observed = ObservedHost(
            instances=(
                ObservedInstance(
                    key=KEY,
                    process=ObservedProcess(
                        program="dnsmasq",
                        owner="net",
                        pid=served.pid or 1,
                        argv=served.spec.argv,
                        namespace="qdhcp-net",
                    ),
                    host=served.spec.host,
                    addn_hosts=served.spec.addn_hosts,
                    opts=served.spec.opts,
                    device=ObservedDevice(
                        namespace="qdhcp-net",
                        name=device.name,
                        mac_address=device.mac_address,
                        mtu=device.mtu,
                        addresses=device.addresses,
                        routes=device.routes,
                    ),
                ),
            ),
            namespaces=("qdhcp-net",),
        )
        script.succeed(look)
        (again,) = script.plan().actions
        assert isinstance(again, actions.ReloadInstance)
        assert "10.0.0.5" in again.spec.host
        assert "10.0.0.6" in again.spec.host

    def test_it_never_shows_in_another_networks_plan(self) -> None:
        """Launchpad 1384402: one failing network restarted every dnsmasq."""
        script = serving(network("a"), network("b"))
        script.tell(events.PortCreated(port=port(5, "a")))
        (reload,) = script.start().actions
        script.fail(reload)
        script.tell(events.PortCreated(port=port(5, "b")))
        assert [(a.kind, a.network_id) for a in script.plan()] == [("reload", "b")]

    def test_reasons_are_short_strings(self) -> None:
        """L14: exception objects are kept as resync reasons."""
        script = serving()
        script.tell(events.PortCreated(port=port(5)))
        (reload,) = script.start().actions
        script.fail(reload, reason="x" * 100_000 + "\nsecond line")
        retry = script.record().retry
        assert retry is not None
        assert len(retry.reason) <= 400
        assert "\n" not in retry.reason

    def test_a_dead_dnsmasq_is_back_at_once(self) -> None:
        script = serving()
        script.now = 1000.0
        script.state = evolve(script.state, heartbeat=evolve(script.state.heartbeat, due=1e9))
        script.state = evolve(script.state, observation=evolve(script.state.observation, due=1e9))
        script.tell(events.ProcessDied(key=KEY, exit_code=-11))
        (restart,) = script.plan().actions
        assert isinstance(restart, actions.RestartInstance)
        assert restart.repair

    def test_a_stopped_dnsmasq_is_started_anew_and_a_stopped_proxy_too(self) -> None:
        """Somebody sent SIGSTOP: it is there, and answers nobody."""
        script = serving(network(), force_metadata=True)
        found = observed(script)
        (instance,) = found.instances
        assert instance.process is not None
        stopped = evolve(instance, process=evolve(instance.process, stopped=True))
        record = script.record()
        assert record.proxy is not None
        process = ObservedProcess(program="haproxy", owner="net", pid=5, argv=(), namespace="qdhcp-net", stopped=True)
        proxy = ObservedProxy(network_id="net", proxy_id="net", process=process, config=record.proxy.config)
        script.tell(events.HostObserved(observed=evolve(found, instances=(stopped,), proxies=(proxy,))))
        restart, start = script.plan().actions
        assert isinstance(restart, actions.RestartInstance)
        assert restart.reasons == ("dnsmasq is stopped (SIGSTOP)",)
        assert restart.repair
        assert isinstance(start, actions.StartProxy)

    def test_one_that_dies_at_every_start_is_paced(self) -> None:
        script = serving()
        script.tell(events.ProcessDied(key=KEY, exit_code=2))
        script.succeed(*script.start().actions)
        script.tell(events.ProcessDied(key=KEY, exit_code=2, detail="port 53 in use"))
        assert not script.plan()
        retry = script.record().retry
        assert retry is not None
        assert "port 53 in use" in retry.reason
        assert "exit code 2" in retry.reason

    def test_one_that_is_stopped_to_be_started_anew_has_not_died(self) -> None:
        """Several restarts within a minute are no reason to wait before the next; a crash in one of them is told."""
        script = serving()
        for mtu in (1400, 1401, 1402, 1403):
            script.change(mtu=mtu)
            script.tell(events.ResyncRequested(reason="a test", network_id="net"))
            script.succeed(*script.start())
            (restart,) = script.start()
            assert isinstance(restart, actions.RestartInstance)
            script.tell(events.ProcessDied(key=KEY, pid=script.record().served[KEY].pid, exit_code=mtu % 2 and None))
            script.succeed(restart)
            served = script.record().served[KEY]
            assert (served.alive, served.deaths, served.last_death, script.record().retry) == (True, 0, None, None)
        script.change(mtu=1500)
        script.tell(events.ResyncRequested(reason="a test", network_id="net"))
        script.succeed(*script.start())
        (restart,) = script.start()
        script.tell(events.ProcessDied(key=KEY, pid=script.record().served[KEY].pid, exit_code=-6))
        assert script.record().served[KEY].deaths == 1
        script.succeed(restart)

    def test_one_that_dies_of_our_signal_does_not_die_at_its_start(self) -> None:
        """However often an operator has dnsmasq before 2.91 signalled, the next start waits no longer than one."""
        script = serving(reload_method="sighup")
        for number in range(8):
            script.tell(events.PortCreated(port=port(10 + number)))
            (reload,) = script.start().actions
            assert isinstance(reload, actions.ReloadInstance)
            death = events.ProcessDied(key=KEY, pid=script.record().served[KEY].pid, exit_code=-11)
            if number % 2:
                script.tell(death)
                script.fail(reload, reason="it died")
            else:
                script.fail(reload, reason="it died")
                script.tell(death)
            retry = script.record().retry
            assert retry is not None
            assert (retry.attempts, script.record().served[KEY].deaths) == (1, 1)
            script.now = retry.not_before
            script.settle()
            assert script.record().served[KEY].alive

    def test_one_that_outlived_our_signal_dies_at_its_start(self) -> None:
        script = serving(reload_method="sighup")
        script.tell(events.PortCreated(port=port(10)))
        script.succeed(*script.start().actions)
        for number in range(1, 3):
            script.tell(events.ProcessDied(key=KEY, exit_code=2))
            assert script.record().served[KEY].deaths == number
            script.now += 1.0
            script.settle()

    def test_one_that_dies_before_its_start_is_told_is_paced_too(self) -> None:
        """Nothing is started over and over without a pause, however early it dies."""
        script = serving()
        script.tell(events.ProcessDied(key=KEY, exit_code=2))
        for deaths in range(2, 5):
            (restart,) = script.start().actions
            assert isinstance(restart, actions.RestartInstance)
            pid = 4000 + deaths
            script.tell(events.ProcessDied(key=KEY, pid=pid, exit_code=-11, detail="why"))
            script.tell(events.ActionSucceeded(action=restart, result=events.InstanceStarted(pid=pid)))
            served = script.record().served[KEY]
            assert served.last_death is not None
            assert (served.alive, served.deaths, served.last_death.exit_code) == (False, deaths, -11)
            assert not script.plan()
            retry = script.record().retry
            assert retry is not None
            assert "why" in retry.reason
            script.now = retry.not_before

    def test_how_it_died_is_remembered_after_it_is_back(self) -> None:
        script = serving(force_metadata=True)
        script.now = 100.0
        script.tell(events.ProcessDied(key=KEY, exit_code=-9, detail="killed\n" + "x" * 1000))
        script.tell(events.ProxyDied(network_id="net", exit_code=1, detail="why"))
        script.settle()
        record = script.record()
        assert record.served[KEY].alive
        death = record.served[KEY].last_death
        assert death is not None
        assert (death.at, death.exit_code, death.detail[:8], len(death.detail)) == (100.0, -9, "killed x", 400)
        assert record.proxy is not None
        assert record.proxy.last_death == LastDeath(at=100.0, exit_code=1, detail="why")

    def test_the_death_of_an_earlier_process_means_nothing(self) -> None:
        script = serving()
        script.tell(events.ProcessDied(key=KEY, pid=99999))
        assert not script.plan()
