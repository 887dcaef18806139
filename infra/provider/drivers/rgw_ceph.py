"""Runs on a server of an object tier: `radosgw-admin`, and S3 with the keys that it tells.

Sent there by `infra.provider.drivers.rgw`, so it needs the standard library alone. Keys go into headers and
answers: never into arguments, which every user of a server can read.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

QUOTA = ("limit", "objects")
"""Bytes and number of objects of a quota; None for no limit."""
_NO_BUCKET = {2, 2002 & 0xFF}
"""Exit codes of radosgw-admin without a bucket: ENOENT, and ERR_NO_SUCH_BUCKET of rgw_common.h."""
_S3_LIMIT_S = 30.0

Request = dict[str, Any]


class RefusedError(Exception):
    """Something that is not done, with a hint."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Admin:
    """Ceph's `radosgw-admin`.

    Args:
        limit: seconds for all that is asked of it: it waits for minutes where Ceph is away.
    """

    def __init__(self, limit: float) -> None:
        self._until = time.monotonic() + limit

    def ask(self, *words: str, missing: set[int] | str = "") -> Any:
        """Return its answer; None if it ends as `missing` says: by an exit code, or with these words."""
        left = max(self._until - time.monotonic(), 1.0)
        try:
            done = subprocess.run(
                ["radosgw-admin", *words, "--format=json"],
                capture_output=True,
                text=True,
                timeout=left,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RefusedError("Ceph does not answer", "look at `ceph status` on this server") from None
        if done.returncode == 0:
            return json.loads(done.stdout) if done.stdout.strip().startswith(("{", "[")) else {}
        if (done.returncode in missing) if isinstance(missing, set) else (missing and missing in done.stderr):
            return None
        raise RefusedError(_last_line(done.stderr) or f"radosgw-admin ended with {done.returncode}")

    def user(self, name: str) -> Any:
        """Return a user with its keys; None if there is none."""
        return self.ask("user", "info", f"--uid={name}", missing="no user info saved")

    def bucket(self, name: str) -> Any:
        """Return a bucket with what is in it; None if there is none."""
        return self.ask("bucket", "stats", f"--bucket={name}", missing=_NO_BUCKET)

    def keys(self, user: str) -> tuple[str, str]:
        """Return a user's access key and secret key."""
        found = (self.user(user) or {"keys": ()})["keys"]
        if not found:
            raise RefusedError(f"user {user} has no key", f"`radosgw-admin key create --uid={user}`")
        return found[0]["access_key"], found[0]["secret_key"]

    def buckets_of(self, user: str) -> list[str]:
        """Return the names of a user's buckets."""
        return list(self.ask("bucket", "list", f"--uid={user}"))

    def limit(self, scope: str, target: str, request: Request, found: Request) -> None:
        """Set or lift a quota where it is another one."""
        size, objects = (request.get(key) for key in QUOTA)
        if (size, objects) != tuple(found.get(key) for key in QUOTA):
            of = (f"--quota-scope={scope}", target)
            self.ask("quota", "set", *of, f"--max-size={size or -1}", f"--max-objects={objects or -1}")
            self.ask("quota", "enable" if size or objects else "disable", *of)


def ask_s3(keys: tuple[str, str], method: str, url: str, text: str = "") -> str:
    """Ask the gateway for something of a bucket, as its owner (AWS Signature Version 4)."""
    where, body = urllib.parse.urlsplit(url), text.encode()
    now, digest = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), hashlib.sha256(body).hexdigest()
    headers = {"host": where.netloc, "x-amz-content-sha256": digest, "x-amz-date": now}
    signed, pairs = ";".join(headers), [f"{key}:{value}" for key, value in headers.items()]
    asked = "\n".join([method, where.path, where.query, *pairs, "", signed, digest]).encode()
    parts = (now[:8], "default", "s3", "aws4_request")
    scope = "/".join(parts)
    key = f"AWS4{keys[1]}".encode()
    for part in (*parts, f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(asked).hexdigest()}"):
        key = hmac.digest(key, part.encode(), "sha256")
    words = f"Credential={keys[0]}/{scope}, SignedHeaders={signed}, Signature={key.hex()}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 {words}"
    request = urllib.request.Request(url, body or None, headers, method=method)  # noqa: S310 (http or https)
    # the gateway of this server, past any proxy
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_S3_LIMIT_S) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        code = re.search(r"<Code>(\w+)</Code>", error.read().decode(errors="replace"))
        raise RefusedError(f"the gateway refuses: {code[1] if code else error.code}") from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        message = f"no gateway answers at {where.scheme}://{where.netloc}: {reason}"
        raise RefusedError(message, "start it, or mend `endpoint`") from None


def _last_line(said: str) -> str:
    """Return the last line for people, without the time, thread and level of a log."""
    lines = [line for line in said.strip().splitlines() if "AdminSocket" not in line]
    return re.sub(r"^\d{4}-\S+ [0-9a-f]+ +-?\d+ ", "", lines[-1]) if lines else ""
