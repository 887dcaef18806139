"""The steps by the names that the suite's configuration calls them by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.acceptance import (
    breakfix,
    cluster,
    exposure,
    filesystems,
    fleet,
    lifecycle,
    logs,
    reservations,
    topology,
)
from infra.acceptance.site_nodes import SiteNodes
from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS: dict[str, Callable[[SiteNodes], dict[str, Any]]] = {
    "api_endpoint_isolation": exposure.from_outside,
    "bmc_tenant_isolation": exposure.controllers_from_node,
    "capacity_reservation_grouping": reservations.pin,
    "cordon_node": cluster.cordon,
    "describe_instance": lifecycle.describe,
    "flock_mount": filesystems.lock,
    "general_switch_logs": logs.read_switches,
    "host_status_log": lifecycle.status_log,
    "host_syslogs": logs.read_hosts,
    "insecure_protocols_test": exposure.insecure_protocols,
    "launch_instance": lifecycle.describe,
    "list_instances": lifecycle.list_nodes,
    "nvlink_domain": topology.nvlink_domain,
    "power_cycle_instance": lifecycle.power_cycle,
    "query_fleet_inventory": fleet.inventory,
    "query_governance_metrics": fleet.governance,
    "query_health_aggregation": fleet.aggregation,
    "query_host_health": fleet.health,
    "query_maintenance_events": reservations.maintenance_events,
    "query_node_health_agents": breakfix.health_agents,
    "query_resource_discovery": fleet.discovery,
    "query_serial_numbers": fleet.serials,
    "query_topology": topology.failure_domains,
    "quota_enforcement": filesystems.enforce_quotas,
    "reboot_instance": lifecycle.reboot,
    "reinstall_instance": lifecycle.reinstall,
    "request_host_replacement": breakfix.request_replacement,
    "return_node_maintenance": reservations.return_node,
    "return_rack_maintenance": reservations.return_rack,
    "root_squash": filesystems.squash_root,
    "serial_console": lifecycle.serial_console,
    "slurm_setup": cluster.setup,
    "start_instance": lifecycle.start,
    "stop_instance": lifecycle.stop,
    "switch_kernel_logs": logs.read_switch_kernels,
    "switch_syslogs": logs.read_switch_syslogs,
    "teardown": lifecycle.release,
    "topology_block_atomic_allocation": reservations.take_block,
    "verify_image": lifecycle.image,
    "verify_ingestion": fleet.ingestion,
    "verify_teardown": lifecycle.release,
}


def run_step(step: str, site: str, machine: str | None = None) -> dict[str, Any]:
    """Do a step and return what it found, for the suite: `success`, `platform`, and the step's own fields.

    A step that cannot be done is `success: false` with its reason; nothing is left out in silence.
    """
    try:
        return {"success": True, "platform": "bm", **STEPS[step](SiteNodes(site, machine))}
    except UserError as error:
        return {"success": False, "platform": "bm", "error": str(error)}
