"""Keys, certificates and passwords of a site's stand-ins: made once, kept in the site's local state."""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import bcrypt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from infra import yamltext
from infra.files import hold_lock, private_folder, write_whole
from infra.state_files import damage_error, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_VALID_FOR = dt.timedelta(days=3650)
_BCRYPT_ROUNDS = 4  # the emulator checks at every request; a random password of 192 bits needs no slow hash


@dataclass(frozen=True, slots=True)
class Credential:
    """User name and password of a BMC."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Credential({self.username!r}, …)"


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of a server's certificate (with its chain) and private key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Identity:
    """Where a site's keys lie; every file with a secret has mode 0600, every folder 0700.

    Attributes:
        state: the site's local state.
    """

    state: Path

    @property
    def ca(self) -> Path:
        """Certificate that signs all BMC certificates of the site; give it to Redfish clients."""
        return self.state / "ca.pem"

    @property
    def ssh_key(self) -> Path:
        """Private key that opens every machine as user `gigasite`."""
        return self.state / "ssh" / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """Host keys by machine name and, once defined, by `[127.0.0.1]:PORT`."""
        return self.state / "ssh" / "known_hosts"

    def machine(self, name: str) -> Path:
        """The folder of one machine: its keys, disk, seed and logs."""
        return self.state / "machines" / name

    def tls(self, name: str) -> Tls:
        """Certificate and key of a machine's BMC."""
        return Tls(self.machine(name) / "bmc.pem", self.machine(name) / "bmc.key")

    def htpasswd(self, name: str) -> Path:
        """The BMC's user file: bcrypt only, as sushy-tools asks."""
        return self.machine(name) / "bmc.htpasswd"

    def host_key(self, name: str) -> Path:
        """A machine's private ssh host key; the public one lies beside it with `.pub`."""
        return self.machine(name) / "ssh_host_ed25519_key"

    def credential(self, name: str) -> Credential:
        """A BMC's user name and password.

        Raises:
            KeyError: the identity was not made for this machine.
        """
        entry = _credentials(self.state)[name]
        return Credential(entry["username"], entry["password"])


def ensure_identity(state: Path, machines: Iterable[str]) -> Identity:
    """Make what is missing of the site's keys and of each machine's; never change what is there.

    Args:
        state: the site's local state folder.
        machines: machine names; also the names of their BMC credentials.
    """
    identity = Identity(state)
    with hold_lock(state / "identity.lock"):
        if not identity.ca.exists():
            _make_ca(identity)
        _ensure_ssh_key(identity.ssh_key, "gigasite")
        for name in machines:
            _ensure_machine(identity, name)
    return identity


def trust_host(identity: Identity, name: str, port: int) -> None:
    """Enter a machine's host key into known_hosts as `NAME` and `[127.0.0.1]:PORT`."""
    public = identity.host_key(name).with_suffix(".pub").read_text().split()[:2]
    _rewrite_known_hosts(identity, name, port, " ".join([f"{name},[127.0.0.1]:{port}", *public]))


def forget_machine(identity: Identity, name: str) -> None:
    """Remove a machine from known_hosts and the credentials; its folder is not touched."""
    with hold_lock(identity.state / "identity.lock"):
        found = _credentials(identity.state)
        if found.pop(name, None) is not None:
            _write_credentials(identity.state, found)
    _rewrite_known_hosts(identity, name, None, None)


def _rewrite_known_hosts(identity: Identity, name: str, port: int | None, line: str | None) -> None:
    with hold_lock(identity.state / "identity.lock"):
        path = identity.known_hosts
        stale = {name} if port is None else {name, f"[127.0.0.1]:{port}"}
        lines = path.read_text().splitlines() if path.exists() else []
        kept = [old for old in lines if not stale & set(old.partition(" ")[0].split(","))]
        fresh = [*kept, line] if line else kept
        if fresh != lines:
            write_whole(path, "".join(f"{text}\n" for text in fresh))


def _ensure_machine(identity: Identity, name: str) -> None:
    private_folder(identity.machine(name))
    _ensure_ssh_key(identity.host_key(name), name)
    if not identity.tls(name).certificate.exists():
        _make_certificate(identity, name)
    found = _credentials(identity.state)
    if name not in found:
        found[name] = {"username": "gigasite", "password": secrets.token_urlsafe(24)}
        _write_credentials(identity.state, found)
        identity.htpasswd(name).unlink(missing_ok=True)
    if not identity.htpasswd(name).exists():
        password = found[name]["password"].encode()
        digest = bcrypt.hashpw(password, bcrypt.gensalt(_BCRYPT_ROUNDS)).decode()
        write_whole(identity.htpasswd(name), f"{found[name]['username']}:{digest}\n")


def _credentials(state: Path) -> dict[str, dict[str, str]]:
    path = state / "credentials.yaml"
    hint = "remove it: stand-ins then get new passwords at the next `up`"
    text = read_text(path, hint)
    try:
        found = yamltext.loads(text or "", resolve=str) or {}
    except yamltext.NotYamlError as error:  # its text would quote the line, which can hold a password
        raise damage_error(path, "it is no YAML", hint) from error
    whole = isinstance(found, dict) and all(
        isinstance(entry, dict) and {"username", "password"} <= set(entry) for entry in found.values()
    )
    if not whole:
        raise damage_error(path, "it is no list of credentials", hint)
    return found


def _write_credentials(state: Path, entries: dict[str, dict[str, str]]) -> None:
    head = "# BMC credentials of this site's stand-ins, made by gigasite; delete an entry to get a new one.\n"
    write_whole(state / "credentials.yaml", head + yamltext.dumps(dict(sorted(entries.items()))))


def _ensure_ssh_key(path: Path, comment: str) -> None:
    public = path.with_suffix(".pub")
    if path.exists() and public.exists():
        return
    key = ed25519.Ed25519PrivateKey.generate()
    text = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    # The private key last: it is what later runs look for.
    write_whole(public, f"{text.decode()} {comment}\n")
    write_whole(
        path,
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        ),
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _make_ca(identity: Identity) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"gigasite {identity.state.name} BMC CA")])
    certificate = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(sign_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_whole(identity.state / "ca.key", _private_pem(key))
    write_whole(identity.ca, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)


def _make_certificate(identity: Identity, name: str) -> None:
    authority = x509.load_pem_x509_certificate(identity.ca.read_bytes())
    signer = serialization.load_pem_private_key((identity.state / "ca.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    names = [
        x509.DNSName(name),
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} BMC"[:64])])
    certificate = (
        _builder(subject, authority.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    tls = identity.tls(name)
    write_whole(tls.key, _private_pem(key))
    write_whole(tls.certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))  # clocks of clients may be behind
        .not_valid_after(now + _VALID_FOR)
    )


def _key_usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=sign_certificates, crl_sign=sign_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
