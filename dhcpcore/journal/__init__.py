"""The flight recorder: everything that an agent folded, as lines of JSON, and all of it computed again from them.

`Recorder` makes the lines, `replay` reads them.  Neither knows a file; ``dhcpcore agent`` writes them where the option
``journal`` says, ``dhcpcore replay`` shows them (docs/flight-recorder.md).
"""

from __future__ import annotations

from dhcpcore.journal.errors import JournalError
from dhcpcore.journal.form import decode_event, encode_event
from dhcpcore.journal.lines import FORMAT_VERSION, Why
from dhcpcore.journal.player import Step, replay
from dhcpcore.journal.recorder import Recorder

__all__ = ["FORMAT_VERSION", "JournalError", "Recorder", "Step", "Why", "decode_event", "encode_event", "replay"]
