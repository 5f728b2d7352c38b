"""A reporter that remembers."""

from __future__ import annotations

from collections import deque

from attrs import define, field, frozen

from dhcpcore.testing.wireform import copied


@frozen(kw_only=True)
class Record:
    """One call of `Reporter.report`."""

    message: str
    fields: dict[str, object] = field(hash=False)


def _kept(value: object) -> object:
    """What is remembered of a value: plain data as a copy, of everything else a text.

    An exception would keep its frames, and all that they hold (Launchpad 1969270).
    """
    if isinstance(value, (str, bytes, int, float, type(None))):
        return value
    if isinstance(value, (dict, list, tuple)):
        return copied(value)
    try:
        return f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else str(value)
    except Exception as error:
        return f"<{type(value).__name__} whose str() raised {type(error).__name__}>"


@define
class RecordingReporter:
    """Keeps what was reported, the newest `limit` records; fulfils `dhcpcore.contracts.Reporter`."""

    limit: int = 100_000
    records: deque[Record] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.records = deque(maxlen=self.limit)

    def report(self, message: str, /, **fields: object) -> None:
        """Remember one record."""
        self.records.append(Record(message=message, fields={name: _kept(value) for name, value in fields.items()}))

    def messages(self) -> list[str]:
        """The texts, oldest first."""
        return [record.message for record in self.records]

    def find(self, message: str) -> list[Record]:
        """The records of one text, oldest first."""
        return [record for record in self.records if record.message == message]

    def clear(self) -> None:
        """Forget everything."""
        self.records.clear()
