"""docs/neutron-options.md, from the table that the program has and the list that the stock agent registers.

Run it to write the page anew: ``python tests/neutron_options/page.py`` with ``adapters`` on the path.
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from dhcpcore_adapters.cli.neutron_options import stance_of

_HERE: Final = Path(__file__).parent
PAGE: Final = _HERE.parents[1] / "docs" / "neutron-options.md"
LIST: Final = _HERE / "neutron_29_options.json"

_TITLES: Final = {"honoured": "honoured", "differently": "done differently", "not": "no effect", "unused": "no effect"}

_HEAD: Final = """\
# Neutron's options

What becomes of each of the {count} options that neutron-dhcp-agent 29 registers, when its own files are ours:

    dhcpcore agent --config-file /etc/neutron/neutron.conf --config-file /etc/neutron/dhcp_agent.ini

Groups and names are as in those files, defaults are the stock agent's, and ours where the option is honoured. The
tests hold this page against the stock agent. What is set and is "done differently" or has "no effect" is named once,
when the agent starts. [settings.md](settings.md) has units, bounds, and our own options.

| | options |
| --- | --- |
{counts}
"""
_TAIL: Final = """
## The server's, or another agent's

The stock DHCP agent registers these and does nothing with them; neither do we, and nothing is said of them.

{unused}
"""


def stock_options() -> dict[str, Any]:
    """Names and defaults that are kept here."""
    found: dict[str, Any] = json.loads(LIST.read_text("utf-8"))
    return found


def page() -> str:
    """The text of the page."""
    options = stock_options()
    told = {name: stance_of(name) for name in options}
    unknown = sorted(name for name, stance in told.items() if stance is None)
    assert not unknown, f"no word about {unknown}"
    known = {name: stance for name, stance in told.items() if stance is not None}
    kinds = [stance.kind for stance in known.values()]
    rows = {
        "honoured": kinds.count("honoured"),
        "done differently": kinds.count("differently"),
        "no effect": kinds.count("not"),
        "no effect on the stock agent either": kinds.count("unused"),
    }
    counts = "\n".join(f"| {name} | {count} |" for name, count in rows.items())
    text = _HEAD.format(count=len(options), counts=counts)
    shown = sorted((name for name in known if known[name].kind != "unused"), key=_place)
    for group, names in groupby(shown, key=_group):
        text += f"\n## [{group}]\n\n| option | default | here | |\n| --- | --- | --- | --- |\n"
        for name in names:
            stance = known[name]
            option = name.partition(".")[2]
            text += f"| `{option}` | {_default(options[name])} | {_TITLES[stance.kind]} | {stance.words} |\n"
    unused = sorted((name for name in known if known[name].kind == "unused"), key=_place)
    lines = []
    for group, names in groupby(unused, key=_group):
        lines.append(f"- `[{group}]`: " + ", ".join(f"`{name.partition('.')[2]}`" for name in names))
    return text + _TAIL.format(unused="\n".join(lines))


def _group(name: str) -> str:
    return name.partition(".")[0]


def _place(name: str) -> tuple[int, str, str]:
    group, _, option = name.partition(".")
    order = ["DEFAULT", "AGENT", "OVS"]
    return (order.index(group) if group in order else len(order), group, option)


def _default(value: Any) -> str:
    if value is None or value == "":
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    text = text if len(text) <= 60 else f"{text[:57]}..."
    return f"`{text}`".replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
