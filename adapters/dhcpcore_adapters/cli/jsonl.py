"""``dhcpcore render --jsonl``: one request a line, one answer a line, in order.

Every line gets its answer, whatever it is; nothing that stands in a line ends the stream.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO, Final

from dhcpcore import PayloadError, SettingsError, answer_render_request, render_refusal
from dhcpcore_adapters.cli.documents import NotJson, parse_json
from dhcpcore_adapters.cli.terminal import Terminal, writing_results

#: Longest line, in bytes: a network of a million ports has less.
LONGEST: Final = 1 << 30


def answer_lines(source: BinaryIO, sink: BinaryIO, terminal: Terminal, *, longest: int = LONGEST) -> None:
    """Answer lines until there are no more; each answer is out before the next line is awaited."""
    count = 0
    with terminal.progress(beside_results=True) as progress:
        while line := source.readline(longest + 1):
            if len(line) > longest and not line.endswith(b"\n"):
                _skip_line(source, longest)
                answer = render_refusal(PayloadError("", f"a line of at most {longest} bytes", "a longer one"))
            else:
                answer = _answer(line, terminal)
            with writing_results():
                sink.write(json.dumps(answer).encode("ascii") + b"\n")
                sink.flush()
            count += 1
            progress.show(f"{count:,} requests answered")


def _skip_line(source: BinaryIO, longest: int) -> None:
    while (rest := source.readline(longest)) and not rest.endswith(b"\n"):
        pass


def _answer(line: bytes, terminal: Terminal) -> dict[str, Any]:
    try:
        return answer_render_request(_request(line))
    except (PayloadError, SettingsError) as error:
        return render_refusal(error)
    except Exception as error:  # a fault of ours: it must be seen, and must not take the other requests with it
        terminal.say(f"a request met a fault of this program, please report it: {type(error).__name__}: {error}")
        message = f"a fault of this program, not of the request: {type(error).__name__}"
        return {"error": {"type": "InternalError", "path": "", "message": message}}


def _request(line: bytes) -> Any:
    try:
        return parse_json(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise PayloadError("", "UTF-8", f"other bytes at offset {error.start}") from None
    except NotJson as error:
        raise PayloadError("", "JSON", error.got) from None
