"""The reference of the package as a page; `infra.provider.generate` writes it."""

from __future__ import annotations

import typing
from enum import StrEnum
from typing import Any

from infra.provider.inputs import is_model, item_kind, properties_of
from infra.provider.resources import registry
from infra.provider.settings import Settings

if typing.TYPE_CHECKING:
    from infra.provider.inputs import InputModel, Property

_HEAD = """\
<!-- Made by `python -m infra.provider.generate`; do not edit. -->
# Stacks, outputs and resources

## Stacks

| stack | holds |
|---|---|
| `SITE` | what belongs to no pod: grid connection, core switches, partitions and tenants, management nodes, storage servers |
| `SITE.POD` | one pod: its racks, its part of each fabric, the feeds and coolant distribution units of its rows |

A pod's stack reads the site's through a StackReference, so `SITE` comes first. `pulumi up -s lab.pod-01` needs no
configuration; the name says what is declared.

Both stacks have these outputs:

| output | type | meaning |
|---|---|---|
| `site` | string | name of the site |
| `pods` | list of strings | stack `SITE` only: its pods |
| `pod` | string | stack `SITE.POD` only: its name |
| `shared` | map by host name: `role`, `management_address`, `loopback` | servers that pods use by name |
| `machines` | map by host name, below | every machine of the stack |

An entry of `machines`: `role` (tray, storage, management, switch), `serial`, `uuid`, `model` and `power_state` as the
machine says through its controller, `bmc` (base URL of its Redfish service), `ssh` (`address`, `port`) and `started`
(`fast` or `boot` for a stand-in, `simulated` where no machine is, `real` for hardware).

## Components

`gigasite:site:Site`, `gigasite:site:Pod`, `gigasite:site:ScalableUnit` (a row of racks), `gigasite:network:Fabric` and
`gigasite:storage:Tier` group the resources below; they are in `infra/components`. Racks depend on their row's feeds and
coolant distribution units. A machine whose site has `stand_ins:` depends on its stand-in: when the stand-in is
defined anew, the machine is converged again.

## What holds for all resources

- **Check** finds all mistakes at once and names each by its path, for example `trays.tray-02.bmc.port`.
- **Diff** names the last property that changed, for example `trays.tray-02.power`; changes marked *replaces* below
  make the resource anew, all others update it.
- **Create** converges: what is already as declared is left alone, so a create that is repeated, after a crash or by
  hand, makes nothing twice. Ids follow from the declaration.
- **A rack of which some trays fail** is kept with those that did not; the error names tray, controller and
  credential, and the next `up` goes on with the trays that are missing.
- **Refresh** shows what drifted as a change of the property that declares it.
- **Secrets**: resources take the *name* of a credential. User name and password are in `credentials.yaml` of the
  site's local state (`.gigasite/SITE`, mode 0600); the controllers' certificates are checked against `ca.pem` there,
  or against the system's CAs if there is none.
"""  # noqa: E501 (a page's lines)


def page() -> str:
    """The page as Markdown."""
    lines = [
        _HEAD,
        "## Provider configuration\n",
        "Set with `pulumi config set gigasite:KEY VALUE`, or `driver`, `latency` and `failure_rate` by the",
        "environment: `GIGASITE_DRIVER`, `GIGASITE_LATENCY`, `GIGASITE_FAILURE_RATE`. `site` comes from the",
        "name of the stack. `gigasite up SITE --simulate` sets the driver.\n",
    ]
    lines += _inputs(Settings)
    for kind in registry().values():
        lines += [f"\n## {kind.type_name}\n", f"{kind.doc}\n"]
        lines += _inputs(kind.inputs)
        if kind.outputs:
            lines += ["\n| output | meaning |", "|---|---|"]
            lines += [f"| `{name}` | {output.doc} |" for name, output in kind.outputs.items()]
    return "\n".join(lines) + "\n"


def _inputs(model: type[InputModel]) -> list[str]:
    return ["| input | type | default | meaning |", "|---|---|---|---|", *_rows(model, "")]


def _rows(model: type[InputModel], prefix: str) -> list[str]:
    rows = []
    for name, declared in properties_of(model).items():
        kind, path = declared.kind, f"{prefix}{name}"
        inner = item_kind(kind)
        if inner is not None:
            path = f"{path}.NAME" if typing.get_origin(kind) is dict else f"{path}[]"
            kind = inner
        words = f"{declared.doc}{_bounds(declared)}" + ("; *replaces*" if declared.replaces else "")
        rows.append(f"| `{path}` | {_type(kind)} | {_default(declared)} | {words} |")
        if is_model(kind):
            rows += _rows(kind, f"{path}.")
    return rows


def _type(kind: Any) -> str:
    if is_model(kind):
        return "object"
    if issubclass(kind, StrEnum):
        return ", ".join(f"`{item}`" for item in kind)
    return {str: "string", int: "integer", float: "number", bool: "boolean"}[kind]


def _default(declared: Property) -> str:
    if declared.required:
        return "required"
    if isinstance(declared.default, bool):
        return f"`{str(declared.default).lower()}`"
    return f"`{declared.default}`" if declared.default not in (None, "", []) else ""


def _bounds(declared: Property) -> str:
    low, high = (None if bound is None else f"{bound:,}" for bound in (declared.minimum, declared.maximum))
    if low is not None and high is not None:
        return f" ({low} to {high})"
    return f" (at least {low})" if low is not None else ""
