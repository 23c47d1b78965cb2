"""The same over TLS, where readiness of the socket does not tell of all that can be read."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from raw_broker import Session, raw_broker, said

from pipeline.mqtt.address import parse_address
from pipeline.mqtt.connection import Connection, ConnectionRefused
from pipeline.mqtt.delivery import DeliveryNames


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a certificate of 127.0.0.1 that signs itself, in one file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "broker.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


def serving_with(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_messages_of_all_sizes_come_and_orders_go_over_tls(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    sizes = [0, 1, 100, 16_384, 16_385, 70_000, 300_000, 5] * 20

    async def send(session: Session) -> None:
        for mid, size in enumerate(sizes, 1):
            await session.send(said(b"t", b"x" * size, mid))

    async with raw_broker(serving_with(certificate)) as broker:
        broker.plan = send
        address = parse_address(broker.url.replace("mqtt:", "mqtts:"))
        connection = Connection(address, "c", DeliveryNames(), version=5)
        await connection.open(["t"])
        seen: list[int] = []
        async with asyncio.timeout(30):
            while len(seen) < len(sizes):
                taken = await connection.take(5.0)
                seen += [len(d.body) for d in taken]
                connection.acknowledge(taken)
                assert not connection.is_lost, connection.reason
            await (await broker.session(0)).acknowledgements(len(sizes))
        # larger than any buffer between the two: it is written when there is room
        for _ in range(2):
            await connection.publish("x/set", b"y" * 3_000_000, 0, 1.0)
            connection.acknowledge(taken)
        told = await (await broker.session(0)).heard(2)
        assert [body.count(b"y") for body in told] == [3_000_000] * 2
        await connection.close()
    assert seen == sizes


async def test_a_broker_whose_certificate_nobody_vouches_for_is_refused(certificate: Path) -> None:
    async with raw_broker(serving_with(certificate)) as broker:
        address = parse_address(broker.url.replace("mqtt:", "mqtts:"))
        connection = Connection(address, "c", DeliveryNames(), version=5)
        with pytest.raises(ConnectionRefused, match="CERTIFICATE_VERIFY_FAILED"):
            await connection.open(["t"])
        await connection.close()
