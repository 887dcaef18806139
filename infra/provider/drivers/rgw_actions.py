"""Runs on a server of an object tier: users and buckets of Ceph's Object Gateway.

Sent there by `infra.provider.drivers.rgw`, with `rgw_ceph` before it.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import sys
from pathlib import Path
from typing import NoReturn

from infra.provider.drivers.rgw_ceph import QUOTA, Admin, RefusedError, Request, ask_s3

BARE = 69
MADE = Path("/var/lib/gigasite/objects")
"""Users and buckets that this toolkit made, one a line: nothing else is taken over silently."""
_LOCK = Path("/run/gigasite-objects.lock")
HINT_OF_LOSS = "move them away, or set `force_delete` first and apply that: then they are lost"


def read_user(admin: Admin, request: Request) -> Request | None:
    """Return what a user may, and its keys; None if there is none."""
    found = admin.user(request["name"])
    if found is None:
        return None
    return {
        "display": found["display_name"],
        "max_buckets": found["max_buckets"],
        **_quota(found["user_quota"]),
        **_keys(found, request),
    }


def check_user(admin: Admin, request: Request) -> Request | None:
    """Refuse what would not be changed as asked, change nothing, and return the user."""
    name, found = request["name"], read_user(admin, request)
    _refuse_foreign("user", request, there=found is not None)
    if found is None:
        return None
    if request["max_buckets"] < found["max_buckets"]:
        held = len(admin.buckets_of(name))
        if request["max_buckets"] < held:
            message = f"{name} has {held:,} buckets, and {request['max_buckets']:,} are declared at the most"
            raise RefusedError(message, "remove buckets first, or declare more")
    if _is_lower(found, request):
        # there is none of a user without buckets
        told = admin.ask("user", "stats", f"--uid={name}", "--sync-stats", missing={2}) or {}
        _refuse_less(request, found, [told["stats"]] if "stats" in told else [])
    return found


def put_user(admin: Admin, request: Request) -> Request:
    """Make a user, or change it, and return its keys."""
    name, found = request["name"], check_user(admin, request)
    settings = (
        f"--uid={name}",
        f"--display-name={request['display']}",
        f"--max-buckets={request['max_buckets']}",
    )
    if found is None:
        _note("user", name)
        told = admin.ask("user", "create", *settings)
    else:
        told = admin.ask("user", "modify", *settings)
        if not told["keys"]:
            told = admin.ask(
                "key", "create", f"--uid={name}", "--key-type=s3", "--gen-access-key", "--gen-secret"
            )
    admin.limit("user", f"--uid={name}", request, found or {})
    return _keys(told, request)


def read_bucket(admin: Admin, request: Request) -> Request | None:
    """Return a bucket's owner and settings; None if there is none."""
    found = admin.bucket(request["name"])
    if found is None:
        return None
    status = ask_s3(admin.keys(found["owner"]), "GET", f"{_url(request)}?versioning=")
    return {
        "owner": found["owner"],
        "versioning": "<Status>Enabled</Status>" in status,
        "used": list(found["usage"].values()),
        **_quota(found["bucket_quota"]),
    }


def check_bucket(admin: Admin, request: Request) -> Request | None:
    """Refuse what would not be changed as asked, change nothing, and return the bucket."""
    found = read_bucket(admin, request)
    _refuse_foreign("bucket", request, there=found is not None)
    if found is not None and _is_lower(found, request):
        _refuse_less(request, found, found["used"])
    return found


def put_bucket(admin: Admin, request: Request) -> Request:
    """Make a bucket, or change it."""
    name, owner = request["name"], request["owner"]
    if admin.user(owner) is None:
        raise RefusedError(f"there is no user {owner}", "declare it, or wait until it is made")
    found = check_bucket(admin, request)
    if found is None:
        _note("bucket", name)
        ask_s3(admin.keys(owner), "PUT", _url(request))
    elif found["owner"] != owner:
        for step in ("link", "chown"):
            admin.ask("bucket", step, f"--bucket={name}", f"--uid={owner}")
    admin.limit("bucket", f"--bucket={name}", request, found or {})
    if request["versioning"] != (found is not None and found["versioning"]):
        status = "Enabled" if request["versioning"] else "Suspended"
        space = "http://s3.amazonaws.com/doc/2006-03-01/"
        text = f'<VersioningConfiguration xmlns="{space}"><Status>{status}</Status></VersioningConfiguration>'
        ask_s3(admin.keys(owner), "PUT", f"{_url(request)}?versioning=", text)
    return {}


def drop_user(admin: Admin, request: Request) -> None:
    """Remove a user that has no bucket, or with all its buckets by force."""
    name = request["name"]
    if admin.user(name) is not None:
        held = admin.buckets_of(name)
        if held and not request["force"]:
            raise RefusedError(
                f"{name} has {_count(len(held), 'bucket')}: {', '.join(held[:5])}", HINT_OF_LOSS
            )
        admin.ask("user", "rm", f"--uid={name}", *(("--purge-data",) if request["force"] else ()))
    _forget("user", name)


def drop_bucket(admin: Admin, request: Request) -> None:
    """Remove an empty bucket, or with all that is in it by force."""
    name = request["name"]
    found = admin.bucket(name)
    if found is not None:
        held = sum(one["num_objects"] for one in found["usage"].values())
        if held and not request["force"]:
            used = sum(one["size_actual"] for one in found["usage"].values())
            message = (
                f"{name} holds {_count(held, 'object')} of {used:,} bytes, old versions and parts included"
            )
            raise RefusedError(message, HINT_OF_LOSS)
        admin.ask("bucket", "rm", f"--bucket={name}", *(("--purge-objects",) if request["force"] else ()))
        # it ends with 0 even where it refuses; marks of removed versions count nowhere
        if admin.bucket(name) is not None:
            message = f"{name} still holds something, if only marks of what was removed"
            raise RefusedError(message, HINT_OF_LOSS)
    _forget("bucket", name)


def _refuse_foreign(kind: str, request: Request, *, there: bool) -> None:
    """Refuse to take over what somebody else made, and to make anew what somebody removed."""
    thing = f"{kind} {request['name']}"
    if there and request["new"] and thing not in _made():
        message = f"{thing} is there already, and was not made by this site"
        raise RefusedError(message, "import it, or give yours another name")
    if not there and not request["new"]:
        raise RefusedError(f"{thing} is gone", "run `up --refresh`: it is made anew, empty")


def _is_lower(found: Request, request: Request) -> bool:
    """Whether a quota is asked for that is lower than before."""
    return any(request.get(key) and (found[key] is None or request[key] < found[key]) for key in QUOTA)


def _refuse_less(request: Request, found: Request, usage: list[Request]) -> None:
    """Refuse a quota that is lower than before and below what is used."""
    for key, unit, part in (("limit", "bytes", "size_actual"), ("objects", "objects", "num_objects")):
        now, before, used = request.get(key), found[key], sum(one[part] for one in usage)
        if now and now < used and (before is None or now < before):
            raise RefusedError(
                f"{request['name']} holds {used:,} {unit}, and a quota of {now:,} is declared: "
                "a quota is not set below what is used",
                "remove objects first, or declare more",
            )


def _keys(found: Request, request: Request) -> Request:
    """Return a user's keys: those that are recorded, as long as they are there."""
    keys = {key["access_key"]: key["secret_key"] for key in found["keys"]}
    access = request["access_key"] if request.get("access_key") in keys else next(iter(keys), None)
    return {"access_key": access, "secret_key": keys[access]} if access else {}


def _quota(found: Request) -> Request:
    if not found["enabled"]:
        return {"limit": None, "objects": None}
    size, objects = found["max_size"], found["max_objects"]
    return {"limit": size if size >= 0 else None, "objects": objects if objects >= 0 else None}


def _made() -> list[str]:
    return MADE.read_text(encoding="utf-8").splitlines() if MADE.exists() else []


def _note(kind: str, name: str) -> None:
    """Note what will be made, before it is: a run that is cut off takes its own for its own."""
    lines = _made()
    if f"{kind} {name}" not in lines:
        _write([*lines, f"{kind} {name}"])


def _forget(kind: str, name: str) -> None:
    lines = _made()
    if f"{kind} {name}" in lines:
        _write([line for line in lines if line != f"{kind} {name}"])


def _write(lines: list[str]) -> None:
    MADE.parent.mkdir(parents=True, exist_ok=True)
    new = MADE.with_suffix(".new")
    new.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    new.replace(MADE)


def _url(request: Request) -> str:
    return f"{request['endpoint'].rstrip('/')}/{request['name']}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


LOOKS = (read_user, read_bucket, check_user, check_bucket)
CHANGES = (put_user, put_bucket, drop_user, drop_bucket)
ACTIONS = {action.__name__: action for action in (*LOOKS, *CHANGES)}


def main(request: Request) -> NoReturn:
    """Do what is asked and print the answer, as JSON: `found`, or `refused` with a `hint`."""
    if shutil.which("radosgw-admin") is None:
        sys.exit(BARE)
    action = ACTIONS[request["action"]]
    with _LOCK.open("w") as lock:
        if action in CHANGES:
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            answer: Request = {"found": action(Admin(request["seconds"]), request)}
        except RefusedError as error:
            answer = {"refused": str(error), "hint": error.hint}
    sys.stdout.write(json.dumps(answer))
    sys.exit(0)
