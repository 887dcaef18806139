"""Messages about a host key that is not the plan's: whose key it is that answered."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

from infra.state_files import read_text

if TYPE_CHECKING:
    from pathlib import Path

_SIGNS = ("REMOTE HOST IDENTIFICATION HAS CHANGED", "Host key verification failed", "host key is known for")
_FINGERPRINT = re.compile(r"sent by the remote host is\s+(SHA256:[A-Za-z0-9+/]+)")


def explain(said: str, known_hosts: Path, name: str) -> str | None:
    """Explain a refused host key; None if that is not what ssh complains of.

    Args:
        said: what ssh wrote on its standard error.
        known_hosts: the site's file with every machine's key.
        name: the machine that was meant.
    """
    if not any(sign in said for sign in _SIGNS):
        return None
    keys = _fingerprints(known_hosts)
    if name not in keys.values():
        return f"no host key of {name} is in {known_hosts}: none was made for it"
    found = _FINGERPRINT.search(said)
    if found is None:
        return f"it did not show the host key that was made for {name}"
    owner = keys.get(found[1])
    whose = f"the key of {owner}" if owner else "the key of no machine of this site"
    return f"it showed the host key {found[1]}, which is {whose}: nothing was sent to it"


def _fingerprints(known_hosts: Path) -> dict[str, str]:
    """Machine by fingerprint (SHA256, as ssh prints it)."""
    found = {}
    text = read_text(known_hosts, "remove it: the next `up` writes the keys of the stand-ins anew") or ""
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 3 or fields[0].startswith(("#", "@")):
            continue
        try:
            digest = hashlib.sha256(base64.b64decode(fields[2], validate=True)).digest()
        except ValueError:  # a line of somebody else's making
            continue
        found[f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"] = fields[0].split(",")[0]
    return found
