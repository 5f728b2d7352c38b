"""The adapter that docs/writing-an-adapter.md shows keeps the laws of its contract, as the page says it should."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define, field

from dhcpcore.testing.conformance import FileStoreConformance, FileStoreWorld, run_suite
from dhcpcore.testing.conformance.suite import Unsupported

PAGE = Path(__file__).parents[2] / "docs" / "writing-an-adapter.md"


@define
class Client:
    """What the page's adapter takes: keys with bytes; `full` refuses to take more."""

    keys_: dict[str, bytes] = field(factory=dict)
    full: bool = False

    def get(self, key: str) -> bytes | None:
        return self.keys_.get(key)

    def put(self, key: str, value: bytes) -> None:
        if self.full:
            raise ConnectionError("no space")
        self.keys_[key] = value

    def delete(self, key: str) -> None:
        self.keys_.pop(key, None)

    def delete_prefix(self, prefix: str) -> None:
        for key in self.keys(prefix):
            del self.keys_[key]

    def keys(self, prefix: str) -> list[str]:
        return [key for key in self.keys_ if key.startswith(prefix)]


class KeyWorld(FileStoreWorld):
    root = "/net"

    def __init__(self, store: type) -> None:
        self.client = Client()
        self.store = store(self.client)

    def peek(self, path: str) -> bytes | None:
        return self.client.get(path)

    def poke(self, path: str, data: bytes) -> None:
        self.client.put(path, data)

    def open(self, path: str) -> Callable[[], bytes]:
        data = self.client.get(path) or b""
        return lambda: data

    def names(self, directory: str) -> Sequence[str]:
        return sorted({key[len(directory) + 1 :].split("/")[0] for key in self.client.keys(f"{directory}/")})

    def mode(self, path: str) -> int | None:
        raise Unsupported("keys have no modes")

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        self.client.full = True
        yield
        self.client.full = False


def test_the_example_keeps_the_laws() -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    module: dict[str, Any] = {"__name__": "page"}
    exec(compile(block, PAGE.name, "exec"), module)

    @contextmanager
    def world() -> Iterator[KeyWorld]:
        yield KeyWorld(module["EtcdFileStore"])

    report = run_suite(FileStoreConformance, world)
    assert not report.broken, report
    assert report.skipped == ("test_everybody_may_read", "test_removing_follows_no_link")
