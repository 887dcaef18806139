"""`gigasite down`: remove all that `up` made for a site, and nothing else."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from infra import paths
from infra.cli.arguments import Engine, EngineName, Site, Yes
from infra.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from infra.pipeline.execution import Done, Run

# What `up` leaves in .gigasite/SITE: keys, passwords, logs and caches of machines that are gone now. Anything
# else there was put by somebody else and stays.
OURS = (
    "applied.json", "applied.lock", "ca.key", "ca.pem", "command.lock", "cordoned.json", "cordoned.lock",
    "credentials.yaml", "expected", "identity.lock", "locks", "machines", "passphrase", "rollout.lock",
    "rollouts", "runner", "secrets", "simulated.db*", "ssh", "ssh_config",
)  # fmt: skip


def command(site: Site, engine: Engine = EngineName.EMBEDDED, yes: Yes = False) -> None:
    """Remove the site's resources, its stacks, its local state, and what runs on this machine for it."""
    from infra import plan, spec  # noqa: PLC0415 (not for --help)
    from infra.pipeline import execution  # noqa: PLC0415
    from infra.pipeline.execution import Done, Step  # noqa: PLC0415
    from infra.pipeline.progress import Progress, duration, interactive  # noqa: PLC0415

    declared = spec.load_site(site)
    if declared.stand_ins is None and not yes:
        if not interactive():
            raise UserError(f"{site} is no lab: removing it needs a yes", hint="give --yes")
        if input(f"Remove everything of site {site}? Type its name: ").strip() != site:
            raise UserError("not confirmed", done="Nothing was changed.")

    def remove(run: Run) -> Done:
        from infra.pipeline import stacks  # noqa: PLC0415 (grpc is slow to import)

        run.declared, run.planned = declared, plan.plan(declared)
        count = stacks.unmake(run)
        return Done(f"{count} resources removed" if count else "there was nothing", changes=count)

    def clean(run: Run) -> Done:
        return Done(_clean(run))

    chosen = [Step("remove", "Remove", remove), Step("clean", "Clean up", clean)]
    with execution.only_one(site), Progress([(s.name, s.title) for s in chosen]) as progress:
        run = execution.Run(
            site=site, engine=str(engine), yes=yes, dry_run=False, simulate=False, limit=None,
            progress=progress, record=execution.new_record(site, ["gigasite", *sys.argv[1:]]), recorded=False,
        )  # fmt: skip
        execution.execute(run, chosen)
    progress.line(f"{site} is down, in {duration(run.record.seconds)}")


def _clean(run: Run) -> str:
    words = []
    if run.declared.stand_ins is not None:
        _close_connections(run.site)
    state = paths.state(run.site)
    configured = _remove_settings(run.site)
    for path in (found for pattern in OURS for found in state.glob(pattern)):
        if path.name != "passphrase" or not configured:
            _remove(path)
    left = sorted(item.name for item in state.iterdir())
    if configured:  # not what `up` made
        words.append(f"kept the configuration in {', '.join(configured)}, and the passphrase of its secrets")
        left = [name for name in left if name != "passphrase"]
    if left:
        words.append(f"left in {state.relative_to(paths.ROOT)}, not ours: {', '.join(left)}")
    elif not configured:
        state.rmdir()
    if run.declared.stand_ins is not None:
        from infra.lab import session  # noqa: PLC0415 (libvirt may be absent on other sites)

        if session.stop_daemons():
            words.append("stopped the libvirt daemons that `up` had started")
    return "; ".join(words) or "no key, disk or process is left"


def _remove_settings(site: str) -> list[str]:
    """Remove the stacks' settings files that hold no more than our passphrase's salt; name the others."""
    from infra.engine.workspace.stack_settings import StackSettings  # noqa: PLC0415
    from infra.stacks import operations  # noqa: PLC0415 (the engine is slow to import)

    configured = []
    for pattern in (f"Pulumi.{site}.yaml", f"Pulumi.{site}.*.yaml"):
        for path in sorted(paths.ROOT.glob(pattern)):
            settings = StackSettings.load(path, operations.project_name())
            if settings.config or settings.other:
                configured.append(path.name)
            else:
                path.unlink()
    return configured


def _close_connections(site: str) -> None:
    """End the shared ssh connections; their masters would linger for minutes after the machines are gone."""
    from infra.process import run as process  # noqa: PLC0415
    from infra.rollout import ssh  # noqa: PLC0415

    config = ssh.config_path(site)
    folder = ssh.control_folder(site)
    for socket in folder.iterdir() if folder.exists() else ():
        process(
            [
                "ssh",
                "-F",
                config if config.exists() else "none",
                "-o",
                f"ControlPath={socket}",
                "-O",
                "exit",
                "x",
            ],
            check=False,
            timeout=20,
        )
    shutil.rmtree(folder, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
