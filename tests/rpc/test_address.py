"""URLs, and the token's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from dhcpcore import SettingsError
from dhcpcore_adapters.rpc.address import Address, NoToken


@pytest.mark.parametrize(
    "url, uri, unix, host, port",
    [
        ("ws://127.0.0.1:9697/rpc", "ws://127.0.0.1:9697/rpc", None, "127.0.0.1", 9697),
        ("ws://127.0.0.1:9697", "ws://127.0.0.1:9697/rpc", None, "127.0.0.1", 9697),
        ("ws://[::1]:9697/", "ws://[::1]:9697/rpc", None, "::1", 9697),
        ("wss://controller/v1/agents", "wss://controller/v1/agents", None, "controller", 443),
        ("ws://controller", "ws://controller/rpc", None, "controller", 80),
        ("unix:///run/dhcpcore/rpc.sock", "ws://localhost/rpc", "/run/dhcpcore/rpc.sock", "", 0),
        ("unix:///run/a%20b", "ws://localhost/rpc", "/run/a b", "", 0),
    ],
)
def test_urls(url: str, uri: str, unix: str | None, host: str, port: int) -> None:
    address = Address.parse(url)
    assert (address.uri, address.unix, address.host, address.port) == (uri, unix, host, port)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:9697",
        "http://127.0.0.1/rpc",
        "ws://",
        "ws:///rpc",
        "ws://127.0.0.1:port",
        "ws://127.0.0.1:99999",
        "ws://user:secret@127.0.0.1/rpc",
        "ws://127.0.0.1/rpc?token=secret",
        "ws://127.0.0.1/rpc#x",
        "unix://relative/path",
        "unix://",
    ],
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(SettingsError, match="ws://HOST:PORT") as caught:
        Address.parse(url)
    assert caught.value.option == "url"


def test_what_is_told_survives_the_query() -> None:
    uri = Address.parse("ws://127.0.0.1:1").asking(host="höst & more", notifications="no")
    assert uri == "ws://127.0.0.1:1/rpc?host=h%C3%B6st+%26+more&notifications=no"


def test_the_token_is_read_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    address = Address.parse("ws://127.0.0.1", str(file))
    assert "token" not in repr(address)
    for token in ("first", "second"):
        file.write_text(f"{token}\n")
        assert address.token() == token
    assert Address.parse("ws://127.0.0.1").token() is None


@pytest.mark.parametrize("content", [None, b"", b" \n", b"two words", b"two\nlines", b"\xff\xfe", b"x" * 5000])
def test_no_token(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(NoToken, match="token") as caught:
        Address.parse("ws://127.0.0.1", str(file)).token()
    assert "server's token" in str(caught.value)
