from __future__ import annotations

import ssl
import stat

import bcrypt
import pytest
from cryptography import x509

from infra.lab.identity import ensure_identity, forget_machine, trust_host

pytestmark = pytest.mark.unit


def content(folder) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_second_run_changes_nothing(tmp_path):
    ensure_identity(tmp_path, ["m1"])
    before = content(tmp_path)
    ensure_identity(tmp_path, ["m1"])
    assert content(tmp_path) == before


def test_a_new_machine_leaves_the_others_as_they_are(tmp_path):
    first = ensure_identity(tmp_path, ["m1"]).credential("m1")
    both = ensure_identity(tmp_path, ["m1", "m2"])
    assert both.credential("m1") == first
    assert both.credential("m2").password != first.password


def test_nobody_else_reads_secrets(tmp_path):
    ensure_identity(tmp_path, ["m1"])
    public = {"ca.pem", "identity.lock"}
    for path in tmp_path.rglob("*"):
        if path.name not in public:
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_client_with_our_ca_trusts_the_bmc_at_its_address(tmp_path):
    identity = ensure_identity(tmp_path, ["m1"])
    tls = identity.tls("m1")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tls.certificate, tls.key)
    client = ssl.create_default_context(cafile=str(identity.ca))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    into_client, into_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(into_client, into_server, server_hostname="127.0.0.1")
    theirs = server.wrap_bio(into_server, into_client, server_side=True)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert ours.getpeercert()["subject"] == ((("commonName", "m1 BMC"),),)


def test_a_bmc_certificate_cannot_sign_others(tmp_path):
    identity = ensure_identity(tmp_path, ["m1"])
    certificate = x509.load_pem_x509_certificate(identity.tls("m1").certificate.read_bytes())
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_the_emulator_checks_the_password_that_clients_get(tmp_path):
    identity = ensure_identity(tmp_path, ["m1"])
    user, _, digest = identity.htpasswd("m1").read_text().strip().partition(":")
    credential = identity.credential("m1")
    assert user == credential.username
    assert bcrypt.checkpw(credential.password.encode(), digest.encode())


def test_a_password_is_not_in_its_text_form(tmp_path):
    credential = ensure_identity(tmp_path, ["m1"]).credential("m1")
    assert credential.password not in repr(credential)


def test_a_machine_that_gets_another_port_leaves_no_old_entry(tmp_path):
    identity = ensure_identity(tmp_path, ["m1", "m2"])
    trust_host(identity, "m1", 20001)
    trust_host(identity, "m2", 20002)
    trust_host(identity, "m1", 20003)
    hosts = [line.split()[0] for line in identity.known_hosts.read_text().splitlines()]
    assert sorted(hosts) == ["m1,[127.0.0.1]:20003", "m2,[127.0.0.1]:20002"]


def test_a_port_that_another_machine_had_before_is_not_trusted_for_both(tmp_path):
    identity = ensure_identity(tmp_path, ["m1", "m2"])
    trust_host(identity, "m1", 20001)
    trust_host(identity, "m2", 20001)
    assert [line.split()[0] for line in identity.known_hosts.read_text().splitlines()] == [
        "m2,[127.0.0.1]:20001"
    ]


def test_a_forgotten_machine_gets_a_new_password(tmp_path):
    identity = ensure_identity(tmp_path, ["m1"])
    old = identity.credential("m1")
    trust_host(identity, "m1", 20001)
    forget_machine(identity, "m1")
    assert identity.known_hosts.read_text() == ""
    again = ensure_identity(tmp_path, ["m1"])
    assert again.credential("m1") != old
    digest = again.htpasswd("m1").read_text().strip().partition(":")[2]
    assert bcrypt.checkpw(again.credential("m1").password.encode(), digest.encode())
