"""What is found again on a host after a removal that was cut off, as the recipe of `ObserveHost` sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dhcpcore import Settings
from dhcpcore.actions import ObserveHost, StopProxy
from dhcpcore.contracts import FileStore
from dhcpcore.recipes import Call, follow, in_steps, recipe
from dhcpcore_adapters.files import DiskFileStore

NETWORK = "0a1b2c3d-4e5f-4000-8000-000000000000"


def seen(state: Path) -> list[str]:
    """The instances that an agent sees on a host without processes and devices."""
    files: FileStore = DiskFileStore()

    def make(call: Call) -> object:
        return getattr(files, call.method)(*call.arguments) if call.contract == "files" else ()

    host = follow(recipe(ObserveHost(), Settings(host="h", state_path=str(state))), make)
    return [instance.key.directory for instance in host.instances]  # type: ignore[union-attr]


@pytest.mark.parametrize("directory", [NETWORK, f"11/{NETWORK}", f"None/{NETWORK}"])
def test_an_emptied_directory_is_still_an_instance(tmp_path: Path, directory: str) -> None:
    """Law: a network whose last file went, and whose directory did not, is seen, so that it can be removed."""
    (tmp_path / "dhcp" / directory).mkdir(parents=True)
    assert seen(tmp_path) == [directory]


@pytest.mark.parametrize("directory", ["11", "None"])
def test_an_empty_segment_is_none(tmp_path: Path, directory: str) -> None:
    """Law: the directory of a segment without networks is not taken for a network's: it may get one at any moment."""
    (tmp_path / "dhcp" / directory).mkdir(parents=True)
    assert seen(tmp_path) == []


def test_the_directory_of_fsck_is_none(tmp_path: Path) -> None:
    """Law: where the directory of instances is a file system of its own, its lost+found is left alone."""
    (tmp_path / "dhcp" / "lost+found").mkdir(parents=True)
    assert seen(tmp_path) == []


@pytest.mark.parametrize(
    "path",
    [
        "dnsmasq.conf",
        "old.tar.gz",
        f"{NETWORK}.bak/host",
        f"backup/{NETWORK}/host",
        "11/dnsmasq.conf",
        f"11/{NETWORK}.bak/host",
        f"{NETWORK}/notes",
        f"11/{NETWORK}/notes",
        "scripts/host/interface",
    ],
)
def test_what_belongs_to_others_is_no_instance(tmp_path: Path, path: str) -> None:
    """Law: files, copies and directories that somebody keeps there are nobody's, so nobody removes them."""
    file = tmp_path / "dhcp" / path
    file.parent.mkdir(parents=True)
    file.write_text("")
    assert seen(tmp_path) == []


def test_what_somebody_put_beside_the_files_is_no_instance(tmp_path: Path) -> None:
    """Law: in the directory of a network there are its files and what is nobody's; no instance of another network."""
    directory = tmp_path / "dhcp" / NETWORK
    directory.mkdir(parents=True)
    for name in ("host", "notes", ".host.new"):
        (directory / name).write_text("")
    assert seen(tmp_path) == [NETWORK]


def test_a_proxy_is_found_again_wherever_its_removal_was_cut_off(tmp_path: Path) -> None:
    """Law: as long as anything of a metadata proxy is there, its configuration is, by which it is found."""
    config, pid = tmp_path / "ns-metadata-proxy" / f"{NETWORK}.conf", tmp_path / f"{NETWORK}.pid.haproxy"
    action = StopProxy(network_id=NETWORK, proxy_id=NETWORK, config_path=str(config), pid_path=str(pid))
    for cut in range(3):
        for path in (config, pid):
            path.parent.mkdir(exist_ok=True)
            path.write_text("")
        removal = in_steps(recipe(action, Settings(host="h", state_path=str(tmp_path))), _made)
        for _ in range(2 * cut + 1):  # two pauses for each call
            next(removal)
        removal.close()
        assert config.exists() or not pid.exists(), cut


def _made(call: Call) -> object:
    return getattr(DiskFileStore(), call.method)(*call.arguments) if call.contract == "files" else None
