"""A process that somebody has stopped (SIGSTOP): it is seen, nobody waits for it, and it ends when it is asked to."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve

from dhcpcore import AdapterError
from dhcpcore_adapters.process import barrier, proc
from support import host as hosts
from support.real_control import MAC, SECONDS, control, reserved
from support.real_instances import Host
from support.waiting import eventually

STOPPED: Final = r"is stopped \(SIGSTOP\).*starts it anew"

if hosts.inside():

    @pytest.fixture
    def host(tmp_path: Path) -> Iterator[Host]:
        try:
            yield Host(tmp_path)
        finally:
            hosts.clear()

    def test_one_that_goes_on_again_and_again_is_not(host: Host) -> None:
        """Law: what is stopped for moments only (cpulimit, a debugger that attaches) serves, and is left alone."""
        spec, processes = reserved(host), control(host)
        pid = processes.start_dnsmasq(spec)
        ends = threading.Event()

        def limit() -> None:
            while not ends.wait(0.02):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.08)
                os.kill(pid, signal.SIGCONT)

        limiting = threading.Thread(target=limit)
        limiting.start()
        try:
            assert not any(each.stopped for _ in range(6) for each in processes.observe_processes())
        finally:
            ends.set()
            limiting.join()

    def test_it_is_seen_to_be_stopped_and_ends_when_it_is_asked_to(host: Host) -> None:
        """Law: what a signal has stopped need not be killed."""
        spec, processes = reserved(host), control(host, stop_seconds=60)
        pid = processes.start_dnsmasq(spec)
        assert [each.stopped for each in processes.observe_processes()] == [False]
        os.kill(pid, signal.SIGSTOP)
        assert eventually(lambda: [each.stopped for each in processes.observe_processes()] == [True])
        began = time.monotonic()
        processes.stop_dnsmasq(spec.key)
        assert host.pids(spec.key) == []
        assert time.monotonic() - began < 30

    def test_a_stopped_process_is_not_waited_for(host: Host) -> None:
        """Law: a reload of what somebody has stopped fails in a moment and says why; what goes on is waited for."""
        spec, processes = reserved(host), control(host)
        pid = processes.start_dnsmasq(spec)
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(0.05, os.kill, (pid, signal.SIGCONT)).start()
        processes.reload_dnsmasq(spec.key)
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(AdapterError, match=STOPPED):
            processes.reload_dnsmasq(spec.key)
        assert time.monotonic() - began < 10

    def test_what_is_stopped_while_it_reads_is_not_waited_for(host: Host) -> None:
        spec, processes = reserved(host), control(host)
        with proc.Handle(processes.start_dnsmasq(spec)) as handle:
            # It waits for a writer when it reads that, so it is there that it is stopped.
            Path(spec.directory, "host").unlink()
            os.mkfifo(Path(spec.directory, "host"))
            threading.Timer(0.05, handle.send, (signal.SIGSTOP,)).start()
            began = time.monotonic()
            with pytest.raises(AdapterError, match=STOPPED):
                processes.reload_dnsmasq(spec.key)
            assert time.monotonic() - began < 10

    def test_what_is_stopped_while_it_reads_is_not_waited_for_without_dns(host: Host) -> None:
        spec = reserved(host, "7")
        with proc.Handle(control(host).start_dnsmasq(spec)) as handle:
            handle.send(signal.SIGSTOP)
            handle.send(signal.SIGHUP)
            began = time.monotonic()
            with pytest.raises(AdapterError, match=STOPPED):
                barrier.has_settled(handle, began + SECONDS, "dnsmasq")
            assert time.monotonic() - began < 10

    def test_what_a_debugger_holds_is_waited_for(host: Host) -> None:
        """Law: a reload that does not take effect in time is no success."""
        spec, processes = reserved(host), control(host, reload_seconds=0.3)
        pid = processes.start_dnsmasq(spec)
        attach = 16  # ptrace(2), PTRACE_ATTACH: a debugger has it
        assert ctypes.CDLL(None).ptrace(ctypes.c_long(attach), ctypes.c_long(pid), None, None) == 0
        assert os.WIFSTOPPED(os.waitpid(pid, 0)[1])
        with pytest.raises(AdapterError, match=r"did not read its files anew within 0\.3 s"):
            processes.reload_dnsmasq(spec.key)

    def test_a_start_that_is_stopped_is_not_waited_for(host: Host, tmp_path: Path) -> None:
        """Law: it fails soon, says why, and leaves nothing."""
        spec, processes = reserved(host), control(host)
        program = tmp_path / "dnsmasq"
        program.write_text("#!/bin/sh\nkill -STOP $$\n")
        program.chmod(0o755)
        began = time.monotonic()
        with pytest.raises(AdapterError, match=STOPPED):
            processes.start_dnsmasq(evolve(spec, argv=(str(program), *spec.argv[1:])))
        assert time.monotonic() - began < 10
        assert host.pids(spec.key) == []

    def test_a_release_is_not_waited_for(host: Host) -> None:
        spec, processes = reserved(host), control(host)
        pid = processes.start_dnsmasq(spec)
        lease = host.take_lease(spec, MAC)
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(AdapterError, match=STOPPED):
            processes.release_leases(spec, [lease])
        assert time.monotonic() - began < 3

else:

    def test_on_a_host_of_its_own(tmp_path: Path) -> None:
        if reason := hosts.missing():
            pytest.skip(reason)
        hosts.run_inside(__file__, tmp_path)
