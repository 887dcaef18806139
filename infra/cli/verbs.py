"""The table of verbs: a line each, from which `gigasite --help` is made.

A verb is a module of this package with a function `command` (typer annotations), or with `app` (a
`typer.Typer`) where it has verbs of its own: if these fill modules of their own, it is a folder whose `verbs`
has `app`. Adding a verb is adding its module and its line in `VERBS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Verb:
    """One line of `gigasite --help`.

    Attributes:
        module: where it is; imported when the verb is called, so that `--help` stays fast.
        panel: the heading that the help shows it under.
        help: one sentence.
    """

    module: str
    panel: str
    help: str


MAIN = "The main job"
PLAN = "The declaration and its plan"
STACKS = "Stacks, on the embedded engine or the Pulumi CLI"
PROJECT = "This machine and this checkout"

VERBS: dict[str, Verb] = {
    "up": Verb("infra.cli.up", MAIN, "Declare, make, boot, configure, verify and report a site."),
    "down": Verb("infra.cli.down", MAIN, "Remove all that `up` made for a site, and nothing else."),
    "replace": Verb("infra.cli.replace", MAIN, "Make stand-ins anew, disk included, and bring them up."),
    "configure": Verb("infra.cli.configure", MAIN, "Configure the site's machines again, with Ansible."),
    "apply": Verb("infra.cli.apply", MAIN, "A playbook over a group of machines, in waves with gates."),
    "rollout": Verb("infra.cli.rollout", MAIN, "How rollouts stand, and going on with them."),
    "serve": Verb("infra.cli.serve", MAIN, "A page of the rollouts on loopback, live."),
    "approve": Verb("infra.cli.approve", MAIN, "Approve a wave of a rollout."),
    "verify": Verb("infra.cli.verify", MAIN, "Check the site's machines against the plan, with testinfra."),
    "report": Verb("infra.cli.report", MAIN, "Write the site's report again, as a page and as JSON."),
    "accept": Verb("infra.cli.accept", MAIN, "What the last verification proves of what buyers ask."),
    "plan": Verb("infra.cli.plan", PLAN, "Expand a site's declaration and say what it holds and needs."),
    "fabric": Verb("infra.cli.fabric.verbs", PLAN, "Paths, bisection and losses of a site's fabrics."),
    "fit": Verb("infra.cli.fit", PLAN, "How many pods fit the site's grid connection."),
    "diff": Verb("infra.cli.diff", PLAN, "What a change of the declaration does, across all layers."),
    "render": Verb("infra.cli.render", PLAN, "Configuration of a site's switches, and what changes in it."),
    "energy": Verb("infra.cli.energy", PLAN, "PUE, WUE, ERF, REF, carbon and heat of a site."),
    "schema": Verb("infra.cli.schema", PLAN, "Print the JSON Schema of site.yaml."),
    "preview": Verb("infra.cli.stacks.preview", STACKS, "Show what `up` would change."),
    "refresh": Verb("infra.cli.stacks.refresh", STACKS, "Read the real machines into the state."),
    "destroy": Verb("infra.cli.stacks.destroy", STACKS, "Remove a stack's resources."),
    "import": Verb(
        "infra.cli.stacks.import_", STACKS, "Take existing resources, or an exported state, into a stack."
    ),
    "export": Verb("infra.cli.stacks.export", STACKS, "Write a stack's deployment as JSON."),
    "stack": Verb("infra.cli.stacks.stack", STACKS, "List, make, select and remove stacks; show outputs."),
    "config": Verb("infra.cli.stacks.config", STACKS, "Read and set a stack's configuration."),
    "state": Verb("infra.cli.stacks.state", STACKS, "Repair a stack's state."),
    "cancel": Verb("infra.cli.stacks.cancel", STACKS, "Clear the lock that a dead operation left."),
    "engine": Verb(
        "infra.cli.engine.verbs", STACKS, "The same for any Pulumi project in Python, by the CLI's flags."
    ),
    "new": Verb("infra.cli.new", PROJECT, "Skeleton of a role, check, platform, switch or site."),
    "lab": Verb("infra.cli.lab", PROJECT, "Put faults into stand-ins by hand."),
    "doctor": Verb("infra.cli.doctor", PROJECT, "What this machine has and lacks, and what installs it."),
    "test": Verb(
        "infra.cli.test", PROJECT, "All checks of this checkout: lint, types, unit, conformance, lab."
    ),
    "bench": Verb("infra.cli.bench", PROJECT, "Benchmarks, each side by side with what it is compared to."),
}


def available() -> dict[str, Verb]:
    """The verbs whose module is there."""
    root = Path(__file__).parents[2]
    return {
        name: verb
        for name, verb in VERBS.items()
        if (root / verb.module.replace(".", "/")).with_suffix(".py").exists()
    }
