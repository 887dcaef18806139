"""The program of every scenario: it registers, in order, what `$CONF_DIR/step.json` lists."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pulumi

COMPUTED = ("serial", "rev", "digest")  # what the provider adds; declared so that the SDK hands them out
GETTERS = {"str": "", "int": "_int", "bool": "_bool", "float": "_float", "object": "_object"}


class Custom(pulumi.CustomResource):
    """A resource of any type with any properties."""


class Component(pulumi.ComponentResource):
    """A component of any type with any properties."""


class Program:
    """One run: the entries made so far, by key."""

    def __init__(self, step: dict[str, Any]) -> None:
        self.step = step
        self.made: dict[str, Any] = {}

    def run(self) -> None:
        for entry in self.step.get("resources") or []:
            self.make(entry)
        for name, value in (self.step.get("exports") or {}).items():
            pulumi.export(name, self.value(value))

    # Values

    def value(self, raw: Any) -> Any:
        """A value of a scenario as the SDK takes it."""
        if isinstance(raw, list):
            return [self.value(item) for item in raw]
        if not isinstance(raw, dict):
            return raw
        if len(raw) == 1:
            ((word, argument),) = raw.items()
            special = getattr(self, "value_" + word[1:], None) if word.startswith("$") else None
            if special is not None:
                return special(argument)
        return {key: self.value(item) for key, item in raw.items()}

    def value_output(self, path: str) -> Any:
        key, _, rest = path.partition(".")
        steps = rest.split(".")
        source = self.made[key]
        if isinstance(source, pulumi.StackReference) and steps[0] not in ("id", "urn"):
            # Only the first step names an output of another stack; what lies deeper is not asked for.
            return source.require_output(steps[1]) if steps[0] == "require" else source.get_output(steps[0])
        if isinstance(source, pulumi.Resource):
            source = getattr(source, steps.pop(0))
        for step in steps:
            source = source[int(step) if step.isdigit() else step]
        return source

    def value_secret(self, raw: Any) -> Any:
        return pulumi.Output.secret(self.value(raw))

    def value_unsecret(self, raw: Any) -> Any:
        return pulumi.Output.unsecret(self.value(raw))

    def value_concat(self, parts: list[Any]) -> Any:
        return pulumi.Output.concat(*map(self.value, parts))

    def value_resource(self, key: str) -> Any:
        return self.made[key]

    def value_asset(self, raw: dict[str, str]) -> Any:
        return pulumi.StringAsset(raw["text"]) if "text" in raw else pulumi.FileAsset(raw["file"])

    def value_archive(self, raw: dict[str, Any]) -> Any:
        return pulumi.AssetArchive({name: self.value(item) for name, item in raw.items()})

    def value_repeat(self, raw: dict[str, Any]) -> Any:
        return raw["text"] * raw["times"]

    def value_stack(self, raw: str) -> Any:
        return pulumi.get_project() if raw == "project" else pulumi.get_stack()

    def value_config(self, raw: dict[str, Any]) -> Any:
        name = "require" if raw.get("require") else "get"
        if raw.get("secret"):
            name += "_secret"
        name += GETTERS[raw.get("as", "str")]
        return getattr(pulumi.Config(raw.get("namespace")), name)(raw["key"])

    def value_apply_raise(self, raw: dict[str, str]) -> Any:
        def fail(_: Any) -> Any:
            raise Exception(raw["message"])  # noqa: TRY002 (its class name stands in the recordings)

        return self.value_output(raw["of"]).apply(fail)

    # Options

    def alias(self, raw: Any) -> Any:
        if isinstance(raw, str):
            return raw
        given = {key: raw[key] for key in ("name", "stack", "project") if key in raw}
        if "type" in raw:
            given["type_"] = raw["type"]
        if raw.get("no_parent"):
            given["parent"] = None
        elif "parent" in raw:
            given["parent"] = self.made.get(raw["parent"], raw["parent"])
        return pulumi.Alias(**given)

    def options(self, raw: dict[str, Any] | None) -> dict[str, Any]:
        given = {}
        for name, value in (raw or {}).items():
            match name:
                case "parent" | "provider" | "deleted_with":
                    given[name] = self.made[value]
                case "depends_on" | "providers" | "replace_with":
                    given[name] = [self.made[key] for key in value]
                case "aliases":
                    given[name] = [self.alias(item) for item in value]
                case "import_id":
                    given["import_"] = value
                case "custom_timeouts":
                    given[name] = pulumi.CustomTimeouts(**value)
                case "replacement_trigger":
                    given[name] = self.value(value)
                case _:
                    given[name] = value
        return given

    # Entries

    def make(self, entry: dict[str, Any]) -> None:
        made = getattr(self, "make_" + entry.get("kind", "custom"))(entry)
        if made is not None:
            self.made[entry.get("key", entry.get("name"))] = made

    def properties(self, entry: dict[str, Any]) -> dict[str, Any]:
        return self.value(entry.get("props") or {})

    def make_custom(self, entry: dict[str, Any], **more: Any) -> Any:
        declared = dict.fromkeys([*COMPUTED, *entry.get("read_props", [])])
        properties = declared | self.properties(entry)
        options = pulumi.ResourceOptions(**self.options(entry.get("options")), **more)
        return Custom(entry.get("type", "conf:index:Res"), entry["name"], properties, options)

    def make_get(self, entry: dict[str, Any]) -> Any:
        return self.make_custom(entry, id=self.value(entry["id"]))

    def make_component(self, entry: dict[str, Any]) -> Any:
        properties = self.properties(entry)
        options = pulumi.ResourceOptions(**self.options(entry.get("options")))
        made = Component(entry["type"], entry["name"], properties, options)
        if entry.get("outputs") is not None:
            # Registered here, so its own outputs may be among the values.
            self.made[entry.get("key", entry["name"])] = made
            made.register_outputs(self.value(entry["outputs"]))
        return made

    def make_register_outputs(self, entry: dict[str, Any]) -> None:
        self.made[entry["of"]].register_outputs(self.value(entry["outputs"]))

    def make_provider(self, entry: dict[str, Any]) -> Any:
        options = pulumi.ResourceOptions(**self.options(entry.get("options")))
        return pulumi.ProviderResource("conf", entry["name"], self.properties(entry), options)

    def make_stackref(self, entry: dict[str, Any]) -> Any:
        return pulumi.StackReference(entry["name"], stack_name=entry["stack"])

    def make_invoke(self, entry: dict[str, Any]) -> Any:
        arguments, options = self.properties(entry), self.options(entry.get("options"))
        if entry.get("output", True):
            return pulumi.runtime.invoke_output(
                "conf:index:lookup", arguments, pulumi.InvokeOutputOptions(**options)
            )
        return pulumi.runtime.invoke("conf:index:lookup", arguments, pulumi.InvokeOptions(**options)).value

    def make_raise(self, entry: dict[str, Any]) -> None:
        raise Exception(entry["message"])  # noqa: TRY002 (its class name stands in the recordings)

    def make_log(self, entry: dict[str, Any]) -> None:
        log = getattr(pulumi.log, entry["level"])
        log(entry["message"], resource=self.made.get(entry.get("resource")))


Program(json.loads(Path(os.environ["CONF_DIR"], "step.json").read_text())).run()
