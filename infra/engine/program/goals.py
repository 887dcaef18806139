"""From a registration request to a goal: options of the parent, transforms, providers, dependencies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pulumi.runtime.proto import alias_pb2, resource_pb2

from infra.engine.deploy.hooks import HOOK_FIELDS
from infra.engine.deploy.provider_request import ProviderRequest, semver
from infra.engine.errors import EngineError
from infra.engine.program.refusals import refuse_unsupported
from infra.engine.program.rpc_errors import check_token
from infra.engine.resource import assets, property_path, signatures, values, wire
from infra.engine.resource.goal import Alias, Goal
from infra.engine.resource.source_positions import positions
from infra.engine.resource.state import CustomTimeouts
from infra.engine.resource.urn import ProviderReference, is_provider_type, package_of, type_of

if TYPE_CHECKING:
    from pathlib import Path

    from infra.engine.program.monitor_context import MonitorContext
    from infra.engine.resource.values import Properties

_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


class GoalReader:
    """Reads one request.

    Attributes:
        transforms: the resource's own, which its children get too.
        providers: package to provider reference, which the children of a component get too.
    """

    def __init__(self, monitor: MonitorContext, request: resource_pb2.RegisterResourceRequest) -> None:
        self._monitor, self._request = monitor, request
        # Those of a remote component are the component's again when its provider registers it.
        key = (request.parent, request.type, request.name)
        self.transforms: list[Any] = monitor.pending_transforms.pop(key, []) or list(request.transforms)
        if request.remote and self.transforms:
            monitor.pending_transforms[key] = self.transforms
        self.providers: dict[str, str] = {}

    async def read(self) -> Goal:
        """The goal.

        Raises:
            EngineError, ValueError: the request contradicts itself or what was registered before.
        """
        request, monitor = self._request, self._monitor
        refuse_unsupported(request)
        self._inherit()
        managed = request.custom or request.remote
        if managed:
            check_token(request.type)
        properties = wire.from_struct(request.object)
        await _hash_assets(properties, monitor.info.program_dir)
        options = self._options()
        dependencies = list(dict.fromkeys(request.dependencies))
        per_property = self._property_dependencies(properties, dependencies)
        transforms = self._all_transforms()
        if transforms:
            properties = _with_dependencies(properties, per_property)
            for callback in transforms:
                properties, options = await monitor.callbacks.transform(
                    callback, request, properties, options
                )
        if request.transforms:
            dependencies = list(dict.fromkeys(options.depends_on))
            per_property = {key: values.dependencies_of(value) for key, value in properties.items()}
            for names in per_property.values():
                dependencies += [urn for urn in names if urn not in dependencies]
        else:
            for key, value in properties.items():
                known = per_property.setdefault(key, [])
                per_property[key] = list(dict.fromkeys([*known, *values.dependencies_of(value)]))
        provider = await self._provider(options)
        if is_provider_type(request.type):
            self._provider_inputs(properties, options)
        if not request.remote:
            properties = values.downgrade_outputs(properties)
        trigger = None
        if options.HasField("replacement_trigger"):
            trigger = values.downgrade_outputs(wire.from_wire(options.replacement_trigger))
        info = monitor.info
        return Goal(
            type=request.type,
            name=request.name,
            custom=request.custom,
            properties=properties,
            parent=request.parent,
            provider=provider,
            dependencies=dependencies,
            property_dependencies=per_property,
            protect=options.protect if options.HasField("protect") else None,
            retain_on_delete=options.retain_on_delete if options.HasField("retain_on_delete") else None,
            delete_before_replace=(
                options.delete_before_replace if options.HasField("delete_before_replace") else None
            ),
            deleted_with=options.deleted_with,
            replace_with=list(options.replace_with),
            ignore_changes=list(options.ignore_changes),
            replace_on_changes=list(options.replace_on_changes),
            replacement_trigger=trigger,
            hide_diff=[property_path.text_of(property_path.parse(path)) for path in options.hide_diff],
            additional_secret_outputs=list(options.additional_secret_outputs),
            aliases=[_alias(alias) for alias in options.aliases],
            import_id=getattr(options, "import"),
            custom_timeouts=CustomTimeouts(
                seconds(options.custom_timeouts.create),
                seconds(options.custom_timeouts.update),
                seconds(options.custom_timeouts.delete),
                seconds(options.custom_timeouts.read),
            ),
            resource_hooks={
                str(hook): names
                for hook, field in HOOK_FIELDS.items()
                if (names := list(getattr(options.hooks, field, ())))
            },
            source_position=positions(request, info.project_dir),
            stack_trace=monitor.trace(request),
        )

    def _inherit(self) -> None:
        """Take over what the parent's options say and the resource's own do not."""
        request = self._request
        known = self._monitor.known.get(request.parent)
        if known is None or known.goal is None:
            return
        parent = known.goal
        if not request.deletedWith:
            request.deletedWith = parent.deleted_with
        if not request.HasField("protect") and parent.protect is not None:
            request.protect = parent.protect
        if not request.HasField("retainOnDelete") and parent.retain_on_delete is not None:
            request.retainOnDelete = parent.retain_on_delete
        if not request.provider and parent.provider:
            package = package_of(type_of(ProviderReference.parse(parent.provider).urn))
            if package == package_of(request.type) or not (request.custom or request.remote):
                request.provider = parent.provider

    def _options(self) -> resource_pb2.TransformResourceOptions:
        """The options in the form that transforms may change."""
        request = self._request
        options = resource_pb2.TransformResourceOptions(
            depends_on=request.dependencies,
            ignore_changes=request.ignoreChanges,
            replace_on_changes=request.replaceOnChanges,
            version=request.version,
            aliases=[alias_pb2.Alias(urn=urn) for urn in request.aliasURNs] + list(request.aliases),
            provider=self._named_provider(),
            providers=request.providers,
            plugin_download_url=request.pluginDownloadURL,
            deleted_with=request.deletedWith,
            replace_with=request.replace_with,
            additional_secret_outputs=request.additionalSecretOutputs,
            hide_diff=request.hideDiffs,
            plugin_checksums=request.pluginChecksums,
        )
        setattr(options, "import", request.importId)
        if request.HasField("protect"):
            options.protect = request.protect
        if request.HasField("retainOnDelete"):
            options.retain_on_delete = request.retainOnDelete
        if request.deleteBeforeReplaceDefined or request.deleteBeforeReplace:
            options.delete_before_replace = request.deleteBeforeReplace
        for name in ("customTimeouts", "hooks", "replacement_trigger"):
            if request.HasField(name):
                target = "custom_timeouts" if name == "customTimeouts" else name
                getattr(options, target).CopyFrom(getattr(request, name))
        return options

    def _named_provider(self) -> str:
        request = self._request
        if request.provider or not (request.custom or request.remote):
            return request.provider
        package = package_of(request.type)
        if package in request.providers:
            return request.providers[package]
        return self._monitor.inherited_provider(request.parent, package)

    def _property_dependencies(self, properties: Properties, dependencies: list[str]) -> dict[str, list[str]]:
        request = self._request
        if not request.propertyDependencies and not request.remote:
            return {key: list(dependencies) for key in properties}
        return {key: list(dict.fromkeys(names.urns)) for key, names in request.propertyDependencies.items()}

    def _all_transforms(self) -> list[Any]:
        """The resource's own transforms, then those of its ancestors, then the stack's."""
        found = list(self.transforms)
        parent = self._request.parent
        while parent and (known := self._monitor.known.get(parent)):
            found += known.transforms
            parent = known.parent
        return found + self._monitor.stack_transforms

    async def _provider(self, options: resource_pb2.TransformResourceOptions) -> str:
        """The provider's reference, and what children of a component inherit."""
        request, monitor = self._request, self._monitor
        self.providers = dict(options.providers)
        if not request.custom and request.parent:
            known = monitor.known.get(request.parent)
            self.providers = {**(known.providers if known else {}), **self.providers}
        if is_provider_type(request.type) or not (request.custom or request.remote):
            return ""
        _check_version(options.version, "parse provider request")
        if options.provider:
            return str(ProviderReference.parse(options.provider))
        request.version, request.pluginDownloadURL = options.version, options.plugin_download_url
        request.pluginChecksums.clear()
        request.pluginChecksums.update(options.plugin_checksums)
        return await monitor.default_reference(request, request.type)

    def _provider_inputs(self, inputs: Properties, options: resource_pb2.TransformResourceOptions) -> None:
        """Put into a provider's inputs which plugin it is."""
        request = self._request
        wanted = self._monitor.packages.get(request.packageRef) if request.packageRef else None
        package = package_of(request.type)
        label = f"ResourceMonitor.RegisterResource({request.type},{request.name})"
        _check_version(options.version, f"{label}: passed invalid version")
        checksums = tuple(sorted(options.plugin_checksums.items()))
        ProviderRequest(package, options.version, options.plugin_download_url, checksums=checksums).put_into(
            inputs
        )
        if wanted is not None:
            wanted.put_into(inputs)
        known = self._monitor.defaults.known.get(package)
        if known is not None and not options.version and not options.plugin_download_url:
            # Also over what a parameter made of it: then the version is that of the plugin, as with the CLI.
            ProviderRequest(package, known.version, known.download_url).put_into(inputs)
        if request.envVarMappings:
            inputs.setdefault("__internal", {})["envVarMappings"] = dict(request.envVarMappings)


def _alias(message: alias_pb2.Alias) -> Alias:
    if message.WhichOneof("alias") != "spec":
        return Alias(urn=message.urn)
    spec = message.spec
    return Alias(
        name=spec.name,
        type=spec.type,
        stack=spec.stack,
        project=spec.project,
        parent=spec.parentUrn,
        no_parent=spec.noParent,
    )


def _check_version(version: str, label: str) -> None:
    try:
        if version:
            semver(version)
    except EngineError as error:
        raise EngineError(f"{label}: {error}") from error


async def _hash_assets(properties: Properties, folder: Path) -> None:
    try:
        await assets.hash_assets(properties, folder)
    except EngineError as error:
        raise EngineError(f"unmarshal properties: {error}") from error


def _with_dependencies(properties: Properties, per_property: dict[str, list[str]]) -> Properties:
    """Properties as output values that know what they depend on, for transforms."""
    found: Properties = {}
    for key, value in properties.items():
        missing = [urn for urn in per_property.get(key, ()) if urn not in values.dependencies_of(value)]
        if not missing:
            found[key] = value
        elif isinstance(value, values.OutputValue):
            names = (*value.dependencies, *missing)
            found[key] = values.OutputValue(value.value, value.secret, names)
        else:
            found[key] = values.OutputValue(value, dependencies=tuple(missing))
    return found


def seconds(duration: str) -> float:
    """A duration as Go writes it (`1h30m`, `500ms`) in seconds; 0 for none.

    Raises:
        EngineError: it is not valid.
    """
    if not duration:
        return 0
    parts = _DURATION.findall(duration)
    if "".join(number + unit for number, unit in parts) != duration.lstrip("+"):
        raise EngineError(f"unable to parse customTimeout Value {duration}")
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return signatures.number(total)
