"""Protocol features that a plugin accepts, and the encodings of properties that follow from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from infra.engine.plugin.provider_replies import PluginWire

if TYPE_CHECKING:
    from pulumi.runtime.proto import provider_pb2


@dataclass(frozen=True, slots=True)
class PluginFeatures:
    """Features that a plugin announced, at its handshake or in its reply to Configure."""

    secrets: bool = False
    references: bool = False
    outputs: bool = False
    preview: bool = False
    byte_strings: bool = False

    @classmethod
    def from_handshake(cls, reply: Any) -> PluginFeatures:
        """Read the reply to a handshake; None, from a plugin that has no handshake, means no feature."""
        if reply is None:
            return cls()
        return cls(
            reply.accept_secrets,
            reply.accept_resources,
            reply.accept_outputs,
            preview=True,
            byte_strings=reply.accepts_byte_string,
        )

    @classmethod
    def from_configure(cls, reply: provider_pb2.ConfigureResponse) -> PluginFeatures:
        """Read the reply to Configure."""
        return cls(reply.acceptSecrets, reply.acceptResources, reply.acceptOutputs, reply.supportsPreview)


class PluginWires:
    """Encodings of properties for one plugin.

    Attributes:
        preview: unknown values are allowed.
        update: they are not.
        state: as `update`, without the contents of assets.
        preview_state: as `preview`, without the contents of assets.
        component: as `preview`, with dependencies of outputs if the plugin accepts them.
        method: arguments of methods.
    """

    def __init__(self, features: PluginFeatures) -> None:
        self.preview = PluginWire(
            secrets=features.secrets, references=features.references, byte_strings=features.byte_strings
        )
        self.update = replace(self.preview, unknowns=False)
        self.state = replace(self.update, asset_contents=False)
        self.preview_state = replace(self.preview, asset_contents=False)
        self.component = replace(self.preview, outputs=features.outputs)
        self.method = PluginWire(outputs=features.outputs, byte_strings=features.byte_strings)

    def inputs(self, *, preview: bool) -> PluginWire:
        """Return the encoding of new inputs."""
        return self.preview if preview else self.update
