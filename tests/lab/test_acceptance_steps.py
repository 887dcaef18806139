"""Steps of the acceptance suite that change nothing for long, on the lab's machines."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from infra import paths
from infra.acceptance.steps import run_step
from tests.unit.acceptance.contract import differences

pytestmark = pytest.mark.lab

CONTRACT = YAML(typ="safe").load(Path(paths.ROOT, "tests/unit/acceptance/contract.yaml"))


@pytest.mark.parametrize(
    "step",
    [
        "describe_instance", "host_status_log", "verify_image", "verify_ingestion", "query_host_health",
        "query_health_aggregation", "query_serial_numbers", "query_governance_metrics", "slurm_setup",
        "cordon_node", "nvlink_domain", "query_maintenance_events", "return_node_maintenance",
        "return_rack_maintenance", "query_node_health_agents", "capacity_reservation_grouping",
        "topology_block_atomic_allocation", "insecure_protocols_test", "bmc_tenant_isolation",
        "api_endpoint_isolation", "host_syslogs", "general_switch_logs", "switch_syslogs",
        "switch_kernel_logs", "flock_mount", "root_squash", "quota_enforcement", "request_host_replacement",
    ],
)  # fmt: skip
def test_a_step_prints_what_the_suite_reads(lab, step):
    assert lab.record["site"] == "lab"
    assert list(differences(run_step(step, "lab"), CONTRACT[step])) == []
