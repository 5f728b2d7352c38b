"""What is no file, where one of processes or namespaces belongs, holds nobody up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dhcpcore import InstanceKey
from dhcpcore_adapters.netns.namespaces import Namespaces
from dhcpcore_adapters.process.control import LinuxProcessControl
from support.waiting import eventually, in_time


@contextmanager
def looks_like_dnsmasq(confs: Path, network_id: str) -> Iterator[int]:
    """A shell that waits, with a command line as dnsmasq has it; its pid."""
    directory = confs / network_id
    arguments = [f"--pid-file={directory}/pid", f"--dhcp-hostsfile={directory}/host"]
    argv = ["dnsmasq", "-c", "read line", *arguments]
    with subprocess.Popen(argv, executable="/bin/sh", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        try:
            yield process.pid
        finally:
            process.stdin.close()


def test_a_pid_file_that_is_a_fifo(tmp_path: Path) -> None:
    """Law: it tells nothing against a process; looking for processes ends."""
    network_id = "6b5ff9c3-f7f2-4a41-9ff2-6d0d8a4d7f10"
    confs = tmp_path / "dhcp"
    (confs / network_id).mkdir(parents=True)
    os.mkfifo(confs / network_id / "pid")
    control = LinuxProcessControl(
        dhcp_confs=str(confs), proxy_config_dir=str(tmp_path / "proxies"), netns_directory=str(tmp_path)
    )
    with looks_like_dnsmasq(confs, network_id) as pid:
        seen = in_time(lambda: eventually(control.observe_processes, 2.0))
    owner = InstanceKey(network_id=network_id).directory
    assert [(each.owner, each.pid) for each in seen] == [(owner, pid)]


def test_names_of_namespaces_that_lead_to_no_file(tmp_path: Path) -> None:
    """Law: none is a namespace, and none is waited for."""
    os.mkfifo(tmp_path / "qdhcp-fifo")
    (tmp_path / "qdhcp-loop").symlink_to("qdhcp-loop")
    (tmp_path / "qdhcp-null").symlink_to("/dev/null")
    assert in_time(Namespaces(str(tmp_path)).names) == []
