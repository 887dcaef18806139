"""Users and buckets of object tiers: names by S3's rules, owners that there are, quotas within the tier."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from infra.spec.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.spec.document import Loc
    from infra.spec.services import ObjectQuota, StorageTier
    from infra.spec.site import Site

# "General purpose bucket naming rules" of the Amazon S3 user guide; what breaks each, and what it is told as.
_RULES = (
    (r"^.{0,2}$|^.{64}", "has not 3 to 63 characters"),
    (r"[^a-z0-9.-]", "has other characters than a-z, 0-9, `.` and `-`"),
    (r"^[^a-z0-9]|[^a-z0-9]$", "does not begin and end with a letter or a digit"),
    (r"\.\.|\.-|-\.", "has a `.` beside another `.` or a `-`, so it is no name of a host"),
    (r"^(\d+\.){3}\d+$", "is formed as an IPv4 address"),
    (
        r"^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|\.mrap|--x-s3)$",
        "has a beginning or an end that S3 keeps",
    ),
)


def object_mistakes(site: Site) -> Iterator[Mistake]:
    """Yield the mistakes of all tiers."""
    for index, tier in enumerate(site.storage.tiers):
        loc: Loc = ("storage", "tiers", index)
        declared = [key for key in ("users", "buckets") if getattr(tier, key)]
        if declared and not (tier.kind == "object" and tier.servers):
            message = (
                f"nothing serves the {' and '.join(declared)} of `{tier.name}`: only an object tier has some"
            )
            yield Mistake(
                (*loc, declared[0]), message, "write `kind: object` and `servers`, or leave them out"
            )
        for key in declared:
            yield from _names((*loc, key), [one.name for one in getattr(tier, key)])
        for number, user in enumerate(tier.users):
            yield from _quota((*loc, "users", number, "quota"), user.quota, tier)
        yield from _buckets((*loc, "buckets"), tier)


def _names(loc: Loc, names: list[str]) -> Iterator[Mistake]:
    """Yield names that are there before."""
    for index, name in enumerate(names):
        first = names.index(name)
        if first != index:
            yield Mistake(
                (*loc, index, "name"), f"`{name}` is declared already", f"the other is {loc[-1]}[{first}]"
            )


def _buckets(loc: Loc, tier: StorageTier) -> Iterator[Mistake]:
    owners = {user.name: user.max_buckets for user in tier.users}
    owned = dict.fromkeys(owners, 0)
    for index, bucket in enumerate(tier.buckets):
        here: Loc = (*loc, index)
        for pattern, why in _RULES:
            if re.search(pattern, bucket.name):
                yield Mistake(
                    (*here, "name"), f"`{bucket.name}` {why}", "S3's rules: for example `team-checkpoints`"
                )
        if bucket.owner not in owners:
            message = f"no user `{bucket.owner}` is declared for `{tier.name}`"
            yield Mistake((*here, "owner"), message, "declare it under the tier's `users`")
        else:
            owned[bucket.owner] += 1
            if owned[bucket.owner] == owners[bucket.owner] + 1:
                message = f"user `{bucket.owner}` may own {owners[bucket.owner]:,}, and this is one more"
                yield Mistake((*here, "owner"), message, "declare more `max_buckets`, or another owner")
        yield from _quota((*here, "quota"), bucket.quota, tier)


def _quota(loc: Loc, quota: ObjectQuota, tier: StorageTier) -> Iterator[Mistake]:
    if quota.limit is not None and tier.capacity is not None and quota.limit > tier.capacity:
        message = f"{quota.limit:,.0f} bytes are more than the tier's {tier.capacity:,.0f}"
        yield Mistake((*loc, "limit"), message, "no quota is needed for all of it")
