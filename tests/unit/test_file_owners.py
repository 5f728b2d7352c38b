"""Whom directories belong to that root makes in somebody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dhcpcore_adapters.files import DiskFileStore

SOMEBODY = 12345


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a directory away: run the tests as root")
def test_new_directories_belong_to_the_owner_of_the_state(tmp_path: Path) -> None:
    """Law: Neutron's agent, as its own user, can go on in the directories that an agent made as root."""
    state = tmp_path / "dhcp"
    state.mkdir()
    os.chown(state, SOMEBODY, SOMEBODY)
    DiskFileStore().write(f"{state}/7/net/host", "text\n")
    for made in (state / "7", state / "7/net"):
        assert (made.stat().st_uid, made.stat().st_gid) == (SOMEBODY, SOMEBODY)
        assert made.stat().st_mode & 0o777 == 0o755


def test_ones_own_stay_ones_own(tmp_path: Path) -> None:
    DiskFileStore().write(f"{tmp_path}/a/b/host", "text\n")
    assert (tmp_path / "a/b").stat().st_uid == os.geteuid()
