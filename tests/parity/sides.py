"""A render program as a child process: one JSON line in, one JSON line out, in order, with many lines in flight."""

from __future__ import annotations

import json
import queue
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any


class SideDied(Exception):
    """The child ended, or answered something that is not a JSON object. The message holds the end of its stderr."""


class Side:
    """Use as a context manager. send() never blocks; receive() gives the answers in the order of the requests.

    The caller bounds what is in flight. A child that does not flush each line is fine as long as the answers in
    flight fill its output buffer.
    """

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
        self._process = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=env
        )
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()

    def send(self, request: Mapping[str, Any]) -> None:
        self._lines.put(json.dumps(request).encode() + b"\n")

    def receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SideDied(f"{self.name} ended with {self._process.wait()} before it had answered: {self._complaint()}")
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise SideDied(f"{self.name} answered {line[:200]!r}: {self._complaint()}")
        return answer

    def _write(self) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # receive() says why
            while (line := self._lines.get()) is not None:
                self._process.stdin.write(line)
                if self._lines.empty():
                    self._process.stdin.flush()
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def _complaint(self) -> str:
        self._errors.seek(0)
        return self._errors.read()[-2000:].decode(errors="replace").strip() or "nothing on stderr"

    def __enter__(self) -> Side:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._lines.put(None)
        if kind is not None:
            self._process.kill()
        self._writer.join(10)
        if self._process.stdout is not None:
            self._process.stdout.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()
