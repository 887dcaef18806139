"""A policy pack with policies of every kind."""

from __future__ import annotations

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)


def small(args: ResourceValidationArgs, report: ReportViolation) -> None:
    limit = args.get_config()["limit"]
    if args.resource_type == "conf:index:Res" and args.props.get("size", 0) > limit:
        report(f"{args.name} is larger than {limit:g}")


def tagged(args: ResourceValidationArgs, report: ReportViolation) -> None:
    if args.resource_type == "conf:index:Res" and "tag" not in args.props:
        report("has no tag")


def owned(args: ResourceValidationArgs) -> dict[str, object] | None:
    if args.resource_type == "conf:index:Res" and "owner" not in args.props:
        return {**args.props, "owner": "pack"}
    return None


def guarded(args: ResourceValidationArgs, report: ReportViolation) -> None:
    if args.resource_type == "conf:index:Res" and args.props.get("open") is True:
        report(f"open, key {args.props.get('key')!r}, protected {args.opts.protect}, of {args.provider.name}")


def few(args: StackValidationArgs, report: ReportViolation) -> None:
    found = [one for one in args.resources if one.resource_type == "conf:index:Res"]
    if len(found) > 3:
        report(f"{len(found)} resources are too many")
    for one in found:
        if one.props.get("serial") == "S-odd":
            report("odd serial", one.urn)


PolicyPack(
    name="house",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[
        ResourceValidationPolicy(
            name="small",
            description="Not too large.",
            validate=small,
            severity=Severity.HIGH,
            config_schema=PolicyConfigSchema(properties={"limit": {"type": "number", "default": 10}}),
        ),
        ResourceValidationPolicy(
            name="tagged", description="Tags.", validate=tagged, enforcement_level=EnforcementLevel.ADVISORY
        ),
        ResourceValidationPolicy(
            name="owned", description="Owners.", remediate=owned, enforcement_level=EnforcementLevel.REMEDIATE
        ),
        ResourceValidationPolicy(name="guarded", description="Doors.", validate=guarded),
        StackValidationPolicy(name="few", description="Not too many.", validate=few),
    ],
)
