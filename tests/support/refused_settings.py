"""Settings that are refused, and the error that says so."""

from __future__ import annotations

from typing import Any

import pytest

from dhcpcore.errors import SettingsError
from dhcpcore.model.settings import settings_from_mapping


def refused(mapping: Any) -> SettingsError:
    """The error, whose text every one of them has: one printable line, not too long."""
    with pytest.raises(SettingsError) as caught:
        settings_from_mapping(mapping)
    error = caught.value
    assert str(error) == f"option {error.option}: expected {error.expected}, got {error.got}"
    assert str(error).isprintable()
    assert len(str(error)) < 500
    return error
