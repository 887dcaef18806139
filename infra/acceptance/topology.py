"""Steps of a node's place: its rack, and its NVLink domain as its driver tells it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.acceptance.site_nodes import SiteNodes

READ = """cd /usr/local/lib/gigasite/gpu_health && python3 - <<'END'
import json, nvml
print(json.dumps(nvml.read_accelerators()))
END"""
COMPLETED = 3
"""nvmlGpuFabricState_t of an accelerator that is part of its NVLink fabric."""


def failure_domains(site: SiteNodes) -> dict[str, Any]:
    """Return the rack of each node, which is what fails as one."""
    hosts = [{"host_id": one.name, "failure_domain": one.machine.rack or ""} for one in site.trays]
    return {"site_id": site.site, "hosts_checked": len(hosts), "hosts": hosts}


def nvlink_domain(site: SiteNodes) -> dict[str, Any]:
    """Ask NVML on the node which NVLink domain its accelerators are of: all of one, and fully part of it."""
    node = site.node
    gpus = json.loads(node.ask(READ))["gpus"]
    fabrics = [gpu["fabric"] for gpu in gpus if gpu.get("fabric")]
    domains = {fabric[2] for fabric in fabrics if fabric[0] == COMPLETED}
    same = len(domains) == 1 and len(fabrics) == len(gpus) == node.machine.accelerators
    return {
        "node_id": node.name,
        "nvlink_supported": any(gpu.get("links") for gpu in gpus),
        "nvlink_domain_id": min(domains) if same else "",
        "tests": {
            "node_resolved": {"passed": True},
            "nvlink_support_detected": {"passed": bool(gpus)},
            "nvlink_domain_id_present": {
                "passed": same,
                "error": ""
                if same
                else f"{len(fabrics)} of {len(gpus)} are in one of {len(domains)} domains",
            },
        },
    }
