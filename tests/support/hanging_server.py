"""A program: the endpoint on loopback with a plugin that notes every call in a file and never answers.

python hanging_server.py PORT FILE
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from dhcpcore_adapters.rpc.endpoint import websocket_route


class Hanging:
    def __init__(self, notes: Path) -> None:
        self.notes = notes

    def call(self, host: str, method: str, arguments: Mapping[str, Any]) -> Any:
        with self.notes.open("a", encoding="utf-8") as file:
            file.write(f"{method}\n")
        time.sleep(600)

    def subscribe(self, host: str, notify: object) -> Callable[[], None]:
        return lambda: None


if __name__ == "__main__":
    app = Starlette(routes=[websocket_route(Hanging(Path(sys.argv[2])), token=None)])
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_config=None, lifespan="off")
