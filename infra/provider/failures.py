"""Failures that a resource survives: it was made, but not all of it is as declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi.provider.experimental.property_value import PropertyValue


class InitFailed(Exception):  # noqa: N818 (Pulumi's name for it)
    """The resource exists and is kept in the state; the next `up` goes on with the parts that failed.

    Attributes:
        resource_id: its id.
        properties: its outputs as far as they are known.
        inputs: the inputs it was given.
        reasons: one sentence for each part that failed.
    """

    def __init__(
        self,
        resource_id: str,
        properties: Mapping[str, PropertyValue],
        inputs: Mapping[str, PropertyValue],
        reasons: Sequence[str],
    ) -> None:
        super().__init__("; ".join(reasons))
        self.resource_id, self.properties, self.inputs, self.reasons = (
            resource_id,
            properties,
            inputs,
            list(reasons),
        )
