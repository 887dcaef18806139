"""What follows from a declaration, as text by kind: figures, tables, files, resources, limits, energy."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime

from infra.components import hardware
from infra.components.program import pod_args, site_args
from infra.energy import eu, output, site_model
from infra.energy import year as years
from infra.energy.guard import gates
from infra.errors import UserError
from infra.plan import findings, plan, summary
from infra.plan.admission.admission import limits
from infra.plan.views.export import TABLES, csv
from infra.render import network
from infra.render.deployment import render_files
from infra.render.facts import machine_facts
from infra.render.matrix import Matrix
from infra.render.network import dhcp
from infra.render.network.manager import manager_files
from infra.render.network.subnet import subnet_of
from infra.report.diagrams.collection import draw
from infra.rollout.inventory.facts import site_of_plan

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)


def _figures(site, whole):
    yield summary(whole, [])
    for phase in site.phases:
        yield summary(plan(site, phase.name), [])


def _findings(site, whole):
    yield findings(whole)


def _limits(site, whole):
    for rule, limit in limits(whole):
        yield rule.id, limit


def _energy(site, whole):
    if site.energy is None:
        return
    model = site_model.build_model(site)
    computed = tuple(years.compute(model.energy, each) for each in model.years(NOW.year))
    yield output.format_json(output.Sheet(model.energy, computed))
    yield model.guard and gates(model.guard, NOW, None, None)
    yield model.guard
    for one in computed:
        yield eu.tables(model.energy, one, model.facts(one.year))


def _tables(site, whole):
    for name in (*TABLES, "cabling", "materials", "names"):
        yield name, csv(whole, name)


def _matrix(site, whole):
    yield list(Matrix(site).pairs())


def _switches(site, whole):
    yield from network.print_switches(network.switches_of(whole), network.common_of(whole))
    if whole.geometry.management_fabrics:
        yield from dhcp.kea_files(whole).items()


def _resources(site, whole):
    yield site_args(whole, protect=True)
    for pod in whole.pods:
        yield pod_args(whole, pod)


def _managers(site, whole):
    for pod in whole.pods:
        part = whole.pod(pod)
        with suppress(UserError):  # not every pod has a fabric that a subnet manager routes
            yield manager_files(part, subnet_of(part), pod, "/")


def _machines(site, whole):
    """Variables and files of the first machine of each role and platform in a pod: others are alike."""
    source = site_of_plan(whole)
    yield source.site_variables()
    yield asdict(source.whole)
    seen = set()
    for machine in source.machines():
        kind = machine.role, machine.platform, machine.pod
        if kind not in seen:
            seen.add(kind)
            yield hardware._common(machine, None), hardware._accelerators(machine)
            facts = machine_facts(machine, source.peers, source.common)
            yield facts
            yield list(render_files(facts, source.whole))


def _drawings(site, whole):
    for name, drawing in draw(whole):
        yield name, vars(drawing)


KINDS = (
    *(_findings, _figures, _limits, _energy, _matrix, _managers, _tables),
    *(_resources, _switches, _drawings, _machines),
)
"""From quick to slow."""


class Effects:
    """What follows from one declaration, each kind made when it is asked for.

    Args:
        site: the declaration.
        called: names of catalog entries, and what they are called here instead.
    """

    def __init__(self, site, called=()):
        self.site, self.whole, self.known = site, plan(site), {}
        self.called = dict(called)

    def of(self, kind):
        if kind not in self.known:
            text = repr(list(kind(self.site, self.whole)))
            for name, other in self.called.items():
                text = text.replace(name, other)
            self.known[kind] = text
        return self.known[kind]


def differing(one, other):
    """Name of the first kind in which two differ; empty if they are the same in all."""
    for kind in KINDS:
        if one.of(kind) != other.of(kind):
            return kind.__name__.strip("_")
    return ""
