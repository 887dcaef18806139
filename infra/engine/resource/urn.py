"""URNs and provider references: the names by which Pulumi's state speaks of resources."""

from __future__ import annotations

from typing import NamedTuple

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_TYPE = "pulumi:providers:"
STACK_REFERENCE_TYPE = "pulumi:pulumi:StackReference"


class Urn(NamedTuple):
    """The parts of `urn:pulumi:STACK::PROJECT::PARENT_TYPES$TYPE::NAME`. The name may hold `::` itself."""

    stack: str
    project: str
    qualified_type: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Urn:
        """Take a URN apart.

        Raises:
            ValueError: it is not valid.
        """
        if not is_urn(text):
            raise ValueError(f"{text!r} is not a URN")
        return cls(*text.removeprefix("urn:pulumi:").split("::", 3))

    @property
    def type(self) -> str:
        """The resource's own type, without its parents' types."""
        return self.qualified_type.rpartition("$")[2]

    def __str__(self) -> str:
        return f"urn:pulumi:{self.stack}::{self.project}::{self.qualified_type}::{self.name}"


def make(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """The URN of a resource; the parent's types are a prefix unless it is the stack."""
    if parent:
        parent_type = Urn.parse(parent).qualified_type
        if parent_type != STACK_TYPE:
            type_ = f"{parent_type}${type_}"
    return f"urn:pulumi:{stack}::{project}::{type_}::{name}"


def is_urn(text: object) -> bool:
    """Whether it has all the parts of one."""
    return isinstance(text, str) and text.startswith("urn:pulumi:") and text.count("::") >= 3


def type_of(urn: str) -> str:
    """The resource's own type."""
    return urn.split("::", 3)[2].rpartition("$")[2]


def name_of(urn: str) -> str:
    """The resource's name."""
    return urn.split("::", 3)[3]


def is_provider_type(type_: str) -> bool:
    """Whether it is the type of a provider resource."""
    return type_.startswith(PROVIDER_TYPE)


def is_default_provider(urn: str) -> bool:
    """Whether it is that of a provider which the engine makes by itself: nothing that a person asked for."""
    name = name_of(urn)
    return is_provider_type(type_of(urn)) and (name == "default" or name.startswith("default_"))


def package_of(type_: str) -> str:
    """The package that manages a type: `aws` of `pulumi:providers:aws` and of `aws:s3/bucket:Bucket`."""
    if type_.startswith(PROVIDER_TYPE):
        return type_.removeprefix(PROVIDER_TYPE)
    return type_.split(":", 1)[0]


class ProviderReference(NamedTuple):
    """Which provider resource, and which incarnation of it: `URN::ID`."""

    urn: str
    id: str

    @classmethod
    def parse(cls, text: str) -> ProviderReference:
        """Take a reference apart.

        Raises:
            ValueError: it is not valid.
        """
        urn, separator, id_ = text.rpartition("::")
        if not separator or not is_provider_type(Urn.parse(urn).type):
            raise ValueError(f"{text!r} is not a provider reference")
        return cls(urn, id_)

    def __str__(self) -> str:
        return f"{self.urn}::{self.id}"
