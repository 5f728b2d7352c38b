from __future__ import annotations

from typing import Any

import pytest

from dhcpcore.errors import SettingsError
from dhcpcore.model.settings import Settings
from dhcpcore.render.framing import DEFAULT_TEMPLATES, Lines, Templates
from dhcpcore.render.leases import render_initial_leases
from dhcpcore.render.metadata import render_metadata_proxy
from support.render_input import MAC, files, network, port, subnet, view

OF = network(port("p", "10.0.0.5"), subnets=[subnet(gateway_ip="10.0.0.1")])
BREAKS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"]


def render(source: str, **values: object) -> str:
    return Templates(host=source).render("host", **values)


# -- lines


def test_lines_know_their_text() -> None:
    lines = Lines.of(["a", "", "b c"])
    assert str(lines) == "a\n\nb c\n"
    assert list(lines) == ["a", "", "b c"]
    assert len(lines) == 3
    assert str(lines.unended) == "a\n\nb c"
    assert not Lines.of([])
    assert list(Lines("")) == []
    assert str(Lines("").unended) == ""


@pytest.mark.parametrize("line", ["a\nb", "a\n", "\n", 5, None])
def test_a_line_with_a_line_feed_is_none(line: object) -> None:
    with pytest.raises(SettingsError):
        Lines.of([line])


# -- what a template may print


@pytest.mark.parametrize("line_break", BREAKS)
def test_no_value_can_add_a_line(line_break: str) -> None:
    """A value that a template prints never adds a line, whatever a reader takes for its end."""
    for source in ("{{ value }}", "{{ [value, 'x'] | join(',') }}", "{% for part in [value] %}{{ part }}{% endfor %}"):
        with pytest.raises(SettingsError):
            render(source, value=f"a{line_break}b")
    if "\n" in line_break:
        with pytest.raises(SettingsError):
            render("{{ [value] | lines }}", value=f"a{line_break}b")


def test_what_else_a_template_cannot_do() -> None:
    with pytest.raises(SettingsError) as caught:
        render("{{ no_such_name }}")
    assert caught.value.option == "templates.host"
    with pytest.raises(SettingsError):
        render("{{ value }}", value=None)
    with pytest.raises(SettingsError) as caught:
        Templates(opts="{% if %}")
    assert caught.value.option == "templates.opts"


@pytest.mark.parametrize(
    "source",
    [
        "{{ 1 / 0 }}",
        "{{ [3] | lines }}",
        "{{ 5 | lines }}",
        "{{ ['a\nb'] | lines }}",
        "{{ 'a' + 5 }}",
        "{{ lines.no_such_name }}",
        "{{ lines[0] }}",
        "{{ ''.join(5) }}",
        "{{ value }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% include 'other' %}",
    ],
)
def test_whatever_a_template_raises_names_the_template(source: str) -> None:
    """A user's template that fails, however, is a SettingsError that names it."""
    with pytest.raises(SettingsError) as caught:
        render(source, value="a\nb", lines=Lines.of(["a"]))
    assert caught.value.option == "templates.host"


@pytest.mark.parametrize("source", [None, 5, b"{{ lines }}", ["{{ lines }}"], "{{ " + "(" * 5000 + "}}", "{% if %}"])
def test_what_is_no_template(source: Any) -> None:
    """What cannot be compiled is refused when the templates are made, under the template's name."""
    with pytest.raises(SettingsError) as caught:
        Templates(leases=source)
    assert caught.value.option == "templates.leases"


def test_what_a_template_can_do() -> None:
    lines = Lines.of(["a", "b"])
    assert render("{{ lines -}}\n", lines=lines) == "a\nb\n"
    assert render("{{ lines.unended -}}\n", lines=lines) == "a\nb"
    assert render("{% for line in lines %}\n{{ line }};\n{% endfor %}\n", lines=lines) == "a;\nb;\n"
    assert render("{% if not lines %}none{% endif %}", lines=Lines("")) == "none"
    assert render("{{ ['x', 'y'] | lines }}{{ 5 }}") == "x\ny\n5"


# -- templates of a user's own


def test_templates_frame_the_files() -> None:
    ours = Templates(
        host="# {{ network_id }}{% if segmentation %} {{ segmentation }}{% endif %}\n\n{{ lines -}}\n",
        addn_hosts="{{ lines }}# end\n",
        opts="# {{ lines | length }} options\n{{ lines }}",
        leases="{{ lines }}",
        haproxy="# {{ proxy_id }} {{ pid_path }}\n",
    )
    rendered = files(OF, templates=ours)
    assert rendered.host == f"# net\n{MAC},host-10-0-0-5.openstacklocal,10.0.0.5\n"
    assert rendered.addn_hosts.endswith("host-10-0-0-5\n# end\n")
    assert rendered.opts == "# 1 options\ntag:subnet-s4,option:router,10.0.0.1\n"
    assert render_initial_leases(view(OF), settings=Settings(), templates=ours)[0] == f"0 {MAC} 10.0.0.5 * *\n"
    spec = render_metadata_proxy(OF, settings=Settings(), bind_interface=None, templates=ours)
    assert spec.config == "# net /var/lib/neutron/external/pids/net.pid.haproxy\n"


def test_other_templates_do_not_spoil_what_is_reused() -> None:
    framed = files(OF, templates=Templates(host="# mine\n{{ lines }}"))
    assert files(OF, reuse=framed.lines).host == files(OF).host


def test_templates_are_values() -> None:
    assert Templates() == DEFAULT_TEMPLATES
    assert hash(Templates()) == hash(DEFAULT_TEMPLATES)
    assert Templates(host="x") != DEFAULT_TEMPLATES
