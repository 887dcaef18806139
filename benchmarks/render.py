"""All switches of a site printed, beside Ansible's template task."""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra import process
from infra.cli.arguments import Json

if TYPE_CHECKING:
    from infra.plan import Plan
    from infra.render.network.collecting import Switch
    from infra.render.network.facts import Common

REPEATS = 3


def command(
    site: Annotated[str, typer.Argument(help="The site whose switches are printed.")] = "reference",
    pod: Annotated[str, typer.Option("--pod", help="The pod that is timed alone.")] = "pod-17",
    hosts: Annotated[int, typer.Option("--hosts", min=2, help="Switches that Ansible prints.")] = 20,
    as_json: Json = False,
) -> None:
    """Time the configuration of all switches of data fabrics; Ansible's for a few, scaled up."""
    from infra.plan import plan  # noqa: PLC0415 (polars is slow to import; that is not what is timed)
    from infra.render import network  # noqa: PLC0415
    from infra.spec import load_site  # noqa: PLC0415

    declared = load_site(site)
    best, count, size = 1e9, 0, 0
    for _ in range(REPEATS):
        whole = plan(declared)
        whole.links, whole.addresses  # noqa: B018 (the plan's own time is `bench plan`'s)
        began = time.perf_counter()
        common = network.common_of(whole)
        count = size = 0
        data = whole.switches.filter(whole.switches["fabric"] != "out-of-band")["name"].to_list()
        for _, files in network.print_switches(network.switches_of(whole, data), common):
            count += 1
            size += sum(map(len, files.values()))
        best = min(best, time.perf_counter() - began)
    slices = []
    for _ in range(REPEATS + 1):
        part = plan(declared).pod(pod)
        began = time.perf_counter()
        number = sum(1 for _ in network.print_switches(network.switches_of(part), network.common_of(part)))
        slices.append(time.perf_counter() - began)
    part = plan(declared).pod(pod)
    common = network.common_of(part)
    some = [switch for switch in network.switches_of(part) if switch.profile.system == "sonic"][:hosts]
    theirs, same = _ansible(some, common)
    ours = _ours(part, some, common)
    figures = {
        "switches": count, "megabytes": round(size / 1e6, 1), "seconds": round(best, 2),
        "pod_switches": number, "pod_seconds": round(min(slices), 3),
        "compared_switches": len(some), "ansible_seconds": round(theirs, 2),
        "same_switches_seconds": round(ours, 4), "byte_identical": same,
        "ansible_all_seconds": round(theirs / len(some) * count),
        "times": round(theirs / len(some) * count / best),
    }  # fmt: skip
    if as_json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{count:,} switches of data fabrics, {size / 1e6:.0f} MB: {best:.2f} s (after the plan's tables)")
    print(f"one pod, {number:,} switches with its tables: {min(slices):.3f} s")
    print(f"Ansible's template task, {len(some)} SONiC switches: {theirs:.1f} s, byte-identical: {same}")
    print(f"for all {count:,}: {figures['ansible_all_seconds']:,} s, {figures['times']:,} times as long")


def _ours(part: Plan, some: list[Switch], common: Common) -> float:
    """Seconds for the same few switches, with the plan's tables there."""
    from infra.render import network  # noqa: PLC0415

    names = [switch.name for switch in some]
    began = time.perf_counter()
    for _ in network.print_switches(network.switches_of(part, names), common):
        pass
    return time.perf_counter() - began


def _ansible(some: list[Switch], common: Common) -> tuple[float, bool]:
    """Seconds of Ansible's template task for these switches, and whether it wrote the same bytes.

    Its own start and end are taken off: a play of no template is timed too.
    """
    from infra.render import network  # noqa: PLC0415
    from infra.render.network.printing import FOLDER  # noqa: PLC0415
    from infra.spec import catalog  # noqa: PLC0415

    texts = dict(network.print_switches(some, common))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for template in catalog.system("sonic").files.values():
            (folder / template).write_text(_flat(FOLDER / "sonic" / template))
        entries = {}
        for switch in some:
            facts = asdict(network.build(switch.profile, switch.values, common))
            entries[switch.name] = {
                "ansible_connection": "local",
                "ansible_python_interpreter": sys.executable,
                "switch": facts,
            }
        (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": entries}}))
        tasks = [
            {"name": file, "ansible.builtin.template": {
                "src": f"{folder}/{template}", "dest": f"{folder}/{{{{ inventory_hostname }}}}-{file}"},
             "vars": {"template": f"switches/sonic/{template}"}}
            for file, template in catalog.system("sonic").files.items()
        ]  # fmt: skip
        seconds = []
        for number, chosen in enumerate(([], tasks)):
            play = folder / f"play{number}.json"
            body = chosen or [{"name": "nothing", "ansible.builtin.meta": "noop"}]
            play.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": body}]))
            began = time.perf_counter()
            program = Path(sys.executable).parent / "ansible-playbook"
            words: list[str | Path] = [program, "-f", "2", "-i", folder / "hosts.json", play]
            process.run(words, cwd=folder, timeout=1800)
            seconds.append(time.perf_counter() - began)
        same = all(
            (folder / f"{switch}-{file}").read_text() == text
            for switch, files in texts.items()
            for file, text in files.items()
        )
    return seconds[1] - seconds[0], same


def _flat(template: Path) -> str:
    """A template with what it includes in its place: Ansible drops the last line end of an included one."""
    from infra.render.network.printing import FOLDER  # noqa: PLC0415

    return re.sub(
        r"\{% include '([^']+)' %\}\n",
        lambda found: _flat(FOLDER / found[1]),
        template.read_text(encoding="utf-8"),
    )
