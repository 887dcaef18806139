"""A component provider: `shelf:index:Shelf` of boxes, with the method `describe`."""

# Annotations as they are, which the SDK reads.
from typing import Optional, TypedDict

import pulumi
from pulumi.provider import CallResult, main
from pulumi.provider.experimental.component import ComponentProvider


class Box(pulumi.CustomResource):
    """A resource of another provider."""

    serial: pulumi.Output[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **props: object) -> None:
        super().__init__("conf:index:Res", name, {"serial": None, **props}, opts)


class ShelfArgs(TypedDict):
    label: pulumi.Input[str]
    size: pulumi.Input[int]
    key: pulumi.Input[str]


class Shelf(pulumi.ComponentResource):
    """Boxes, each behind the one before."""

    label: pulumi.Output[str]
    key: pulumi.Output[Optional[str]]  # noqa: UP045 (the SDK's analyzer reads this form)
    count: pulumi.Output[int]
    firstSerial: pulumi.Output[str]  # noqa: N815 (the name on the wire)

    def __init__(self, name: str, args: ShelfArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        if name == "broken":
            raise ValueError("a shelf that cannot stand")
        super().__init__("shelf:index:Shelf", name, {}, opts)
        size = args["size"]
        boxes = []
        for number in range(int(size)):  # type: ignore[call-overload]
            more = {"key": args["key"]} if number == 0 else {"behind": boxes[-1].serial}
            boxes.append(
                Box(f"{name}-{number}", label=args["label"], opts=pulumi.ResourceOptions(parent=self), **more)
            )
        self.label = pulumi.Output.concat("shelf of ", boxes[-1].serial)
        self.key = pulumi.Output.from_input(args["key"])
        self.count = pulumi.Output.from_input(len(boxes))
        self.firstSerial = boxes[0].serial
        self.register_outputs(
            {"label": self.label, "key": self.key, "count": self.count, "firstSerial": self.firstSerial}
        )


class Provider(ComponentProvider):
    """The components, and their methods."""

    def call(self, token: str, args: pulumi.Inputs) -> CallResult:  # noqa: ARG002 (the SDK's signature)
        greeting = args["greeting"]
        if greeting == "stop":
            raise ValueError("asked to stop")
        name = str(args["__self__"]).rpartition("::")[2]  # the SDK gives the URN of a class it does not know
        text = pulumi.Output.concat(greeting, ", I am ", name)
        return CallResult({"text": text, "hidden": pulumi.Output.secret("h-1")})


if __name__ == "__main__":
    import sys

    main(Provider([Shelf], "shelf", None, "0.1.0"), sys.argv[1:])
