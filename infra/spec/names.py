"""Names of racks, machines and ports on labels and lists, where these are not their place's names."""

from __future__ import annotations

import re
from string import Formatter
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from infra.spec.base import Part

_PLACE = ("site", "name", "unit")
FIELDS: dict[str, tuple[str, ...]] = {
    "rack": ("site", "name", "building", "hall", "pod", "su", "rack", "site_rack"),
    "tray": (*_PLACE, "building", "hall", "pod", "su", "rack", "site_rack", "slot"),
    "storage": (*_PLACE, "group", "number"),
    "management": (*_PLACE, "group", "number"),
    "switch": (*_PLACE, "tier", "number"),
    "port": ("machine", "port"),
}
"""What a pattern can have in braces, by what it names."""

Pattern = Annotated[
    str, Field(min_length=1, max_length=200, examples=["paris1-gpu-r{site_rack:02}-u{unit:02}"])
]
"""Text with fields in braces; `{unit:02}` has at least two digits."""


class Names(Part):
    """Names on labels, sheets and exported tables; stacks, groups and addresses go by the place.

    Machines know each other by these names as well (/etc/hosts), where they are names of hosts.

    Fields: `site`, `name` (the place's own); of racks and trays `building`, `hall`, `pod`, `su`, `rack` (in
    its row), `site_rack` (on the site); of trays `slot`; of all machines `unit`; of servers `group` and
    `number`; of switches `tier` and `number`; of ports `machine` and `port`.
    """

    rack: Pattern | None = None
    """Compute racks."""
    tray: Pattern | None = None
    storage: Pattern | None = None
    management: Pattern | None = None
    switch: Pattern | None = None
    port: Pattern = "{machine}:{port}"
    """A cable's end on its labels."""
    as_is: dict[str, Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,100}$")]] = Field(
        default_factory=dict, examples=[{"pod-01-su-01-rack-03": "R17"}]
    )
    """Names of what stands already, by place (a rack or machine): they win over the patterns."""

    @field_validator("rack", "tray", "storage", "management", "switch", "port")
    @classmethod
    def _fields(cls, text: str | None, info: object) -> str | None:
        if text is None:
            return None
        known = FIELDS[str(getattr(info, "field_name", ""))]
        try:
            fields = [(field, form, turn) for _, field, form, turn in Formatter().parse(text)]
        except ValueError:
            raise _wrong(f"{text!r} is no pattern", "write fields in braces: `{rack:02}`") from None
        for field, form, turn in fields:
            if field is not None and (field not in known or turn):
                raise _wrong(f"there is no field `{field}` here", f"there are {', '.join(known)}")
            if form and not re.fullmatch(r"0[1-9]", form):
                raise _wrong(f"`:{form}` is no width", "write `{unit:02}` for two digits")
        return text

    @field_validator("port")
    @classmethod
    def _tells_apart(cls, text: str) -> str:
        if not {"machine", "port"} <= {field for _, field, _, _ in Formatter().parse(text)}:
            raise _wrong(f"{text!r} gives several ports one label", "write `{machine}` and `{port}` in it")
        return text


def _wrong(message: str, hint: str) -> PydanticCustomError:
    return PydanticCustomError("pattern", "{message}|{hint}", {"message": message, "hint": hint})
