"""Inputs of users and buckets of object storage."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from infra.provider.inputs import REPLACES, HostName, InputModel, Like

UserName = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$"), Like("a name of a-z, 0-9, `.`, `_` and -")
]
BucketName = Annotated[
    str,
    Field(pattern=r"^[a-z0-9](\.?[a-z0-9-]*[a-z0-9])+$", min_length=3, max_length=63),
    Like("a bucket's name: 3 to 63 of a-z, 0-9, `.` and -"),
]


class ObjectInputs(InputModel):
    """Where a user or a bucket is, and how much it may hold."""

    server: HostName = Field(
        description="server of the tier that is asked; root can run `radosgw-admin` there"
    )
    limit: int | None = Field(default=None, ge=1, description="bytes that it may hold; more is refused")
    objects: int | None = Field(default=None, ge=1, description="most objects that it may hold")
    force_delete: bool = Field(default=False, description="remove it with the objects that it holds")


class BucketUserInputs(ObjectInputs):
    """Declared inputs of one user of object storage."""

    name: Annotated[UserName, REPLACES] = Field(description="its name", examples=["ada"])
    display: str | None = Field(default=None, min_length=1, description="its name for people")
    max_buckets: int = Field(default=1000, ge=1, description="most buckets that it may own")


class BucketInputs(ObjectInputs):
    """Declared inputs of one bucket."""

    name: Annotated[BucketName, REPLACES] = Field(description="its name", examples=["checkpoints"])
    owner: UserName = Field(description="user that owns it and all objects in it")
    versioning: bool = Field(default=False, description="keep objects that are written over or removed")
    endpoint: Annotated[str, Like("an URL")] = Field(
        default="http://127.0.0.1:7480",
        pattern=r"^https?://[^/\s]+/?$",
        description="URL by which the server reaches the gateway",
    )
