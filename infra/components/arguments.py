"""Arguments of resources as Pulumi's property bags."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


def properties(args: Any) -> Any:
    """Return arguments as the property bag that Pulumi sends; what is None is left out."""
    if dataclasses.is_dataclass(args):
        pairs = ((field.name, getattr(args, field.name)) for field in dataclasses.fields(args))
        return {name: properties(value) for name, value in pairs if value is not None}
    if isinstance(args, Mapping):
        return {key: properties(value) for key, value in args.items()}
    if isinstance(args, (list, tuple)):
        return [properties(value) for value in args]
    return args
