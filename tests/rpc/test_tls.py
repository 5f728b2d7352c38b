"""The WebSocket transport over TLS."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

import pytest

from dhcpcore import AdapterError
from dhcpcore.testing import MemoryServer
from dhcpcore_adapters.rpc.websocket import WebSocketTransport
from support.memory_plugin import PATIENCE, Heard, MemoryPlugin
from support.rpc_server import SOON, serving

x509 = pytest.importorskip("cryptography.x509")


def write_certificate(certificate: Path, key: Path) -> None:
    """A certificate of 127.0.0.1, signed by itself."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dhcpcore test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def test_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose certificate is trusted is called, also with what fills many packets; any other is not."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    write_certificate(certificate, key)
    plugin = MemoryPlugin(MemoryServer())
    network_id = plugin.server.create_network()["id"]
    with serving(plugin, tls=(certificate, key)) as url:
        assert url.startswith("wss://")
        stranger = WebSocketTransport(url, "host-1", call_timeout=0.5, patience=SOON)
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
