"""Ethernet fabrics as sites: 16 leaves, 8 spines and 32 hosts; two rails; two tenants; and their nodes."""

from __future__ import annotations

from infra.lab.namespaces import Cable, Node, Vrf
from infra.plan import machines_of, plan
from infra.render import machine_facts, network, site_facts
from infra.render.templates import render
from infra.spec import load_text

ADDRESSES = """\
addresses:
  management: 10.0.0.0/16
  management_pod: 20
  loopbacks: 10.255.0.0/20
  loopback_pod: 24
  links: 10.64.0.0/16
  link_pod: 24
"""

SITE = (
    ADDRESSES
    + """\
name: spaces
layout:
  pods: 1
  scalable_units_per_pod: {leaves}
  racks_per_scalable_unit: 1
  rack: {{platform: lab-vm, nodes: 2}}
fabrics:
  north_south:
    tiers:
      - {{name: leaf, switch: frr-namespace, per: scalable-unit, count: 1, down: 2, up: {spines}}}
      - {{name: spine, switch: frr-namespace, per: pod, count: {spines}, down: 16}}
servers:
  - {{name: head, role: management, platform: server-1u}}
services: {{domain: spaces.internal, ntp: head}}
"""
)

RAILS = (
    ADDRESSES
    + """\
name: rails
layout:
  pods: 1
  scalable_units_per_pod: 2
  racks_per_scalable_unit: 1
  rack: {platform: lab-rails, nodes: 2}
fabrics:
  east_west:
    rails: 2
    tiers:
      - {name: leaf, switch: frr-namespace, per: scalable-unit, count: 1, down: 2, up: 2}
      - {name: spine, switch: frr-namespace, per: pod, count: 2, down: 4}
  north_south:
    tiers:
      - {name: ns-leaf, switch: frr-namespace, per: pod, count: 1}
servers:
  - {name: head, role: management, platform: lab-vm, attach: pod-01}
  - {name: storage, role: storage, platform: lab-vm, attach: pod-01}
services: {domain: rails.internal, ntp: head}
security:
  zones:
    - {name: compute, roles: [tray]}
    - {name: storage, roles: [storage]}
    - {name: management, roles: [management]}
    - {name: network, roles: [switch]}
  allow:
    - {source: compute, target: storage, ports: [tcp/2049], reason: file systems}
    - {source: compute, target: management, ports: [tcp/6817, udp/123], reason: scheduler and time}
    - {source: management, target: compute, ports: [tcp/6818], reason: scheduler}
    - {source: management, target: network, ports: [tcp/22], reason: administration}
    - {source: network, target: management, ports: [udp/123], reason: time}
    - {source: compute, target: compute, ports: [tcp/7000-7010, udp/4791], reason: jobs and RDMA}
"""
)


TENANTS = (
    ADDRESSES
    + """\
name: tenants
layout:
  pods: 1
  scalable_units_per_pod: 3
  racks_per_scalable_unit: 3
  rack: {platform: lab-vm, nodes: 1}
fabrics:
  north_south:
    tiers:
      - {name: leaf, switch: frr-namespace, per: scalable-unit, count: 1, down: 3, up: 2}
      - {name: spine, switch: frr-namespace, per: pod, count: 2, down: 3}
    tenants:
      - {name: blue, vni: 5001, places: [pod-01-su-01-rack-01, pod-01-su-02-rack-01, pod-01-su-03-rack-01]}
      - {name: red, vni: 5002, places: [pod-01-su-01-rack-02, pod-01-su-02-rack-02]}
servers:
  - {name: head, role: management, platform: server-1u}
services: {domain: tenants.internal, ntp: head}
"""
)


def planned_rails():
    return plan(load_text(RAILS))


def planned(leaves=16, spines=8):
    return plan(load_text(SITE.format(leaves=leaves, spines=spines))).pod("pod-01")


def nodes_of(pod):
    """Switches with the configuration that is rendered for them, and hosts with the facts that they get."""
    common = network.common_of(pod)
    texts = dict(network.print_switches(network.switches_of(pod), common))
    whole = pod.whole()
    members = machines_of(whole) if pod.site_level else machines_of(whole, "pod-01")
    machines = {machine.name: machine for machine in members}
    site = site_facts(pod.site, tuple(machines.values()), network=common)
    cabled = set(pod.links["a"]) | set(pod.links["z"])
    nodes = []
    for machine in machines.values():
        if machine.name not in cabled:
            continue
        facts = machine_facts(machine, machines, site)
        addresses = [(link.name, link.address) for link in facts.links if link.address]
        addresses.append(("lo", facts.loopback_network))
        routes = tuple((route.destination, route.gateway, facts.loopback) for route in facts.routes)
        frr = texts[machine.name]["frr.conf"] if machine.name in texts else None
        rules = render("etc/nftables.conf.j2", {"machine": facts, "site": site}) if facts.firewall else None
        rails = tuple((r.source, r.table, r.gateway, r.destinations) for r in facts.rails)
        nodes.append(Node(machine.name, frr, tuple(addresses), routes, rules, rails, tuple(vrfs_of(facts))))
    columns = ("a", "a_port", "z", "z_port")
    cables = [Cable(*row) for row in pod.links.select(columns).iter_rows()]
    return nodes, cables


def vrfs_of(facts):
    for vrf in facts.switch.vrfs if facts.switch else ():
        ports = tuple(link.name for link in facts.links if link.vrf == vrf.name)
        yield Vrf(vrf.name, vrf.vni, facts.loopback, vrf.bridge, vrf.tunnel, ports)
