"""The WebSocket transport over TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from dhcpcore import AdapterError
from dhcpcore.testing import MemoryServer
from dhcpcore_adapters.rpc.websocket import WebSocketTransport
from support.certificate import write_certificate
from support.memory_plugin import PATIENCE, Heard, MemoryPlugin
from support.rpc_server import SOON, serving

pytest.importorskip("cryptography.x509")


def test_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose certificate is trusted is called, also with what fills many packets; any other is not."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    write_certificate(certificate, key)
    plugin = MemoryPlugin(MemoryServer())
    network_id = plugin.server.create_network()["id"]
    with serving(plugin, tls=(certificate, key)) as url:
        assert url.startswith("wss://")
        stranger = WebSocketTransport(url, "host-1", call_timeout=3, patience=SOON)
        stranger.start(Heard())
        with pytest.raises(AdapterError, match="certificate verify failed"):
            stranger.server.get_network_info(network_id)
        stranger.close()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        transport = WebSocketTransport(url, "host-1", call_timeout=PATIENCE, patience=SOON)
        heard = Heard()
        transport.start(heard)
        port = {"network_id": network_id, "device_id": "d", "name": "x" * 2_000_000, "fixed_ips": []}
        created = transport.server.create_dhcp_port({"port": port})
        assert created is not None
        assert created["name"] == port["name"]
        plugin.notify("host-1", "port_update_end", {})
        heard.wait_for("connected", "notified")
        transport.close()
