"""How a coordinator reaches a site's own cluster: address from the plan, certificates from local state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra import paths
from infra.errors import UserError
from infra.rollout.inventory.facts import site_at

if TYPE_CHECKING:
    from distributed.security import Security

    from infra.rollout.blueprint import Blueprint

FOLDER = "rollout-tls"
"""Below a site's local state."""
CA, CERTIFICATE, KEY = "ca.pem", "cert.pem", "key.pem"


def scheduler_of(plan: Blueprint) -> str:
    """Address of the scheduler that a rollout's shards go to; empty where they stay inside the controller.

    The policy names it, or a wave is larger than a shard and the declaration has a cluster. That follows from
    the whole rollout, not from what is left of it: whoever goes on with it asks the same workers.
    """
    shards = plan.policy.shards
    if shards.scheduler is not None:
        return shards.scheduler
    if plan.simulated or not any(len(wave.hosts) > shards.machines for wave in plan.waves):
        return ""
    cluster = site_at(paths.inventory(plan.site) / "site.yaml").common.rollout
    return cluster.address if cluster else ""


def security_for(site: str) -> Security:
    """Certificates of a coordinator: those of dask's own settings, or of the site's local state.

    Raises:
        UserError: a file is missing, or others can read the key.
    """
    import dask  # noqa: PLC0415 (slow to import)
    from distributed.security import Security  # noqa: PLC0415

    if dask.config.get("distributed.comm.tls.ca-file", None):
        return Security(require_encryption=True)
    files = [paths.state(site) / FOLDER / name for name in (CA, CERTIFICATE, KEY)]
    for file in files:
        if not file.is_file():
            raise UserError(
                "a file is missing that the scheduler of rollouts asks for", where=str(file),
                hint=f"the CA of the rollouts gives {CA}, {CERTIFICATE} and {KEY} to who may carry them out",
            )  # fmt: skip
    ca, certificate, key = map(str, files)
    if files[-1].stat().st_mode & 0o077:
        raise UserError("others can read the key", where=key, hint=f"run `chmod 600 {key}`")
    return Security(require_encryption=True, tls_ca_file=ca, tls_client_cert=certificate, tls_client_key=key)
