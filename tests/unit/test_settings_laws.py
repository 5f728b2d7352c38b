"""Laws of the settings: readable from every spelling, back again, and total."""

from __future__ import annotations

import json
from typing import Any

from attrs import fields
from hypothesis import given
from hypothesis import strategies as st

from dhcpcore.errors import SettingsError
from dhcpcore.model.settings import Settings, settings_from_mapping
from dhcpcore.testing import Flavour, strategies

settings = st.sampled_from(Flavour).flatmap(strategies.settings)
names = st.sampled_from(
    [field.name for field in fields(Settings)]
    + ["DEFAULT", "AGENT", "OVS", "metadata_haproxy.timeout_client", "AGENT.report_interval", "ip_versions"]
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-2, 100),
    st.floats(),
    st.text(st.characters(codec=None), max_size=12),
    st.sampled_from(["true", "10", "/x", "a,b", "::1", "$state_path/x", "auto", "1.1.1.1#53"]),
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(names, st.text()), inner, max_size=4)
    ),
    max_leaves=12,
)


def as_ini(value: Any) -> Any:
    """A value as the text that an ini file would have; null has none."""
    if isinstance(value, dict):
        return {name: as_ini(member) for name, member in value.items()}
    if isinstance(value, list):
        return ",".join(str(member) for member in value)
    return value if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@given(settings)
def test_settings_survive_a_mapping(original: Settings) -> None:
    """from_mapping(to_mapping(settings)) == settings, through JSON text too, and no name is unknown."""
    assert settings_from_mapping(json.loads(json.dumps(original.to_mapping()))) == (original, ())


@given(settings)
def test_ini_text_means_the_same_as_json(original: Settings) -> None:
    """Options read from the text of an ini file are those read from JSON types."""
    assert Settings.from_mapping(as_ini(original.to_mapping())) == original


@given(st.dictionaries(st.one_of(names, st.text(max_size=5)), anything, max_size=5))
def test_only_settings_errors_leave_the_reader(mapping: dict[str, Any]) -> None:
    """Whatever mapping comes, there are settings or a SettingsError that names an option, in one printable line."""
    try:
        read, unknown = settings_from_mapping(mapping)
    except SettingsError as caught:
        error = caught
    else:
        assert settings_from_mapping(read.to_mapping()) == (read, ())
        assert list(unknown) == sorted(unknown)
        return
    assert error.option
    assert str(error).isprintable()


@given(st.dictionaries(names, anything, max_size=5))
def test_no_setting_has_a_line_break(mapping: dict[str, Any]) -> None:
    """No text of settings that were built could end a line or a C string, or fail to be an argument in UTF-8."""
    try:
        read = Settings.from_mapping(mapping)
    except SettingsError:
        return
    for text in (getattr(read, field.name) for field in fields(Settings)):
        if isinstance(text, str):
            assert not text or text.splitlines() == [text]
            assert "\0" not in text
            text.encode()


@given(settings, st.text(max_size=5), st.one_of(st.none(), st.integers(0, 4095)))
def test_directories_are_absolute_and_ids_have_their_network(
    original: Settings, network: str, number: int | None
) -> None:
    """Directories never depend on the working directory; a DHCP port's device id starts the same for all segments."""
    for path in (original.confs_dir, original.proxy_config_dir, original.external_pids_dir):
        assert path.startswith("/")
    device_id = original.dhcp_device_id(network, number)
    assert device_id.startswith(original.dhcp_device_id(network))
    assert device_id.endswith(f"-{network}-{number}" if number else f"-{network}")
