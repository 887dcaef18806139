"""An Ethernet fabric of 16 leaves, 8 spines and 32 hosts, as a site; its nodes as namespaces take them."""

from __future__ import annotations

from infra.lab.namespaces import Cable, Node
from infra.plan import machines_of, plan
from infra.render import machine_facts, network, site_facts
from infra.spec import load_text

SITE = """\
name: spaces
layout:
  pods: 1
  scalable_units_per_pod: {leaves}
  racks_per_scalable_unit: 1
  rack: {{platform: lab-vm, nodes: 2}}
fabrics:
  north_south:
    tiers:
      - {{name: leaf, switch: frr-vm, per: scalable-unit, count: 1, down: 2, up: {spines}}}
      - {{name: spine, switch: frr-vm, per: pod, count: {spines}, down: 16}}
servers:
  - {{name: head, role: management, platform: server-1u}}
services: {{domain: spaces.internal, ntp: head}}
addresses:
  management: 10.0.0.0/16
  management_pod: 20
  loopbacks: 10.255.0.0/20
  loopback_pod: 24
  links: 10.64.0.0/16
  link_pod: 24
"""


def planned(leaves=16, spines=8):
    return plan(load_text(SITE.format(leaves=leaves, spines=spines))).pod("pod-01")


def nodes_of(pod):
    """Switches with the configuration that is rendered for them, and hosts with the facts that they get."""
    common = network.common_of(pod)
    texts = dict(network.print_switches(network.switches_of(pod), common))
    machines = {machine.name: machine for machine in machines_of(pod.whole(), "pod-01")}
    site = site_facts(pod.site, tuple(machines.values()))
    nodes = []
    for machine in machines.values():
        facts = machine_facts(machine, machines, site)
        addresses = [(link.name, link.address) for link in facts.links if link.address]
        addresses.append(("lo", facts.loopback_network))
        routes = tuple((route.destination, route.gateway, facts.loopback) for route in facts.routes)
        frr = texts[machine.name]["frr.conf"] if machine.name in texts else None
        nodes.append(Node(machine.name, frr, tuple(addresses), routes))
    columns = ("a", "a_port", "z", "z_port")
    cables = [Cable(*row) for row in pod.links.select(columns).iter_rows()]
    return nodes, cables
