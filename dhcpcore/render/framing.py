"""The templates that frame the rendered files.

Knows Jinja2 and what a template may be given; knows nothing of networks.  Lines are made and checked by the renderers;
a template says what stands around them.  Templates of our own are read once, at import; nothing else is ever read.

A value that a template prints can never add a line: `finalize` refuses text with a line break in it.  Only `Lines`,
whose every line was looked at when it was made, print as more than one line; a template makes them of a list of its own
with the filter ``lines``.  Templates handed in by a user are code: they are trusted like the program itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib import resources
from typing import Any, Final

from attrs import frozen
from jinja2 import Environment, StrictUndefined, Template, TemplateError

from dhcpcore.errors import SettingsError, shown

# Whatever some reader takes for the end of a line: str.splitlines and, with them, Python's text files.
_LINE_BREAK: Final = re.compile("[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]").search


@frozen
class Lines:
    """Whole lines of a file, none with a line feed inside.

    Printing it gives every line with its end; `unended` leaves the last line's end off.
    """

    text: str

    @classmethod
    def of(cls, lines: Iterable[object]) -> Lines:
        """Lines from strings without their ends; raises `SettingsError` where one is no string or holds a line feed."""
        text = []
        for line in lines:
            if not isinstance(line, str) or "\n" in line:
                raise _refused(line)
            text.append(f"{line}\n")
        return cls("".join(text))

    @property
    def unended(self) -> Lines:
        """The same text without its last line feed."""
        return Lines(self.text[:-1])

    def __iter__(self) -> Iterator[str]:
        return iter(self.text.removesuffix("\n").split("\n") if self.text else ())

    def __len__(self) -> int:
        return self.text.count("\n")

    def __bool__(self) -> bool:
        return bool(self.text)

    def __str__(self) -> str:
        return self.text


def _refused(value: object) -> SettingsError:
    return SettingsError("templates", "text without a line break", shown(value))


def _finalize(value: Any) -> str:
    if type(value) is Lines:
        return value.text
    if value is None:
        raise _refused(value)
    text = str(value)
    if _LINE_BREAK(text) is not None:
        raise _refused(text)
    return text


_ENVIRONMENT: Final = Environment(
    undefined=StrictUndefined,
    finalize=_finalize,
    keep_trailing_newline=True,
    trim_blocks=True,  # a line that holds a block only leaves no empty line
    autoescape=False,  # these are no HTML
)
_ENVIRONMENT.filters["lines"] = Lines.of
_OWN: Final = {
    name: resources.files("dhcpcore.render").joinpath("templates", f"{name}.j2").read_text(encoding="utf-8")
    for name in ("host", "addn_hosts", "opts", "leases", "haproxy")
}


@lru_cache(maxsize=64)
def _compiled(source: str) -> Template:
    template = _ENVIRONMENT.from_string(source)
    # One mapping in place of two, one behind the other: looked through at every rendering, it was most of its time.
    template.globals = dict(template.globals)
    return template


@frozen(kw_only=True)
class Templates:
    """Sources of the templates, one for each kind of file; those not given are ours.

    Every file's template gets ``network_id`` (str).  The four dnsmasq files also get ``lines`` (`Lines`: loop over
    it, print it whole, or print ``lines.unended``) and ``segmentation`` (str or None).  ``haproxy`` gets the names that
    our own template uses.  dnsmasq takes no comments in its leases file (src/lease.c, read_leases).

    Raises:
        SettingsError: ``templates.<name>`` is not a template.
    """

    host: str = _OWN["host"]
    addn_hosts: str = _OWN["addn_hosts"]
    opts: str = _OWN["opts"]
    leases: str = _OWN["leases"]
    haproxy: str = _OWN["haproxy"]

    def __attrs_post_init__(self) -> None:
        for name in _OWN:
            source = getattr(self, name)
            if type(source) is not str:
                raise SettingsError(f"templates.{name}", "a Jinja2 template", shown(source))
            try:
                _compiled(source)
            except Exception as error:  # besides TemplateError a compiler's: RecursionError, MemoryError, SyntaxError
                raise _failed(name, "a Jinja2 template", error) from error

    def render(self, name: str, /, **values: object) -> str:
        """The text of the file `name`.

        Raises:
            SettingsError: ``templates.<name>`` asks for something it is not given, prints a value with a line break,
                or fails in any other way: it is a program, and may raise whatever a program may.
        """
        try:
            return _compiled(getattr(self, name)).render(values)
        except SettingsError as error:
            raise SettingsError(f"templates.{name}", error.expected, error.got) from error
        except TemplateError as error:
            raise _failed(name, "a template of known names", error) from error
        except Exception as error:
            raise _failed(name, "a template that can be rendered", error) from error


def _failed(name: str, expected: str, error: Exception) -> SettingsError:
    return SettingsError(f"templates.{name}", expected, f"{type(error).__name__}: {shown(str(error))}")


DEFAULT_TEMPLATES: Final = Templates()
