"""What an agent takes its host to be able to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from dhcpcore_adapters.agent.build import speaks_ipv6


@pytest.mark.parametrize("text, speaks", [("0\n", True), ("1\n", False), (None, False)])
def test_ipv6_is_there_where_neutron_takes_it_to_be(tmp_path: Path, text: str | None, speaks: bool) -> None:
    """As oslo_utils.netutils.is_ipv6_enabled: an agent that takes over adds no address, and takes none away."""
    setting = tmp_path / "disable_ipv6"
    if text is not None:
        setting.write_text(text)
    assert speaks_ipv6(setting) is speaks
