"""The steps of `gigasite up`, in order; each may be run again and then changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra import paths
from infra.errors import UserError
from infra.pipeline.execution import Done, Run, Step
from infra.pipeline.play import play
from infra.report.record import ConfiguredRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.lab.template import Hardware
    from infra.plan.tables.machines import Machine


def declare(run: Run) -> Done:
    """Read the declaration, expand it, and refuse what cannot work, before anything is touched."""
    from infra import plan, spec  # noqa: PLC0415 (polars and pydantic are slow to import)
    from infra.pipeline import run_plan  # noqa: PLC0415
    from infra.rollout.inventory.variables import check_variables  # noqa: PLC0415

    with run.part("read"):
        basis = run_plan.basis_of(run.site)  # before the file is read: what changes meanwhile is noticed
        run.declared = spec.load_site(run.site)
    with run.part("plan"):
        run.planned = plan.plan(run.declared)
        findings = plan.findings(run.planned)
    if strange := [pod for pod in run.pods if pod not in run.planned.pods]:
        raise UserError(f"site {run.site} has no pod {strange[0]}", hint=f"it has {_range(run.planned.pods)}")
    names = {machine.name for machine in _machines(run) if machine.stand_in} if run.replace else set()
    if strange := [name for name in run.replace if name not in names]:
        raise UserError(
            f"site {run.site} has no stand-in {strange[0]}",
            hint=f"it has {', '.join(sorted(names)) or 'none'}",
        )
    refused = [finding for finding in findings if finding.severity == "error"]
    for finding in findings:
        run.log(f"{finding.severity}: {finding.path}: {finding.message}")
    if refused:
        raise UserError(
            f"site {run.site} cannot work as declared:\n"
            + "\n".join(f"  {finding.path}: {finding.message}" for finding in refused),
            done="Nothing was touched.",
        )
    check_variables(run.site)
    run.basis = basis
    if run.recorded:
        run_plan.keep(run.site, basis, plan.summary(run.planned, findings))
    machines = len(_machines(run)) if run.declared.stand_ins else None
    what = f"{machines} machines" if machines else f"{len(run.planned.pods)} pods"
    warnings = len(findings)
    return Done(
        f"{what}, {len(run.planned.pods) + 1} stacks" + (f", {warnings} findings" if warnings else "")
    )


def image(run: Run) -> Done:
    """Have what the stand-ins start from: the tools, proved acceleration, the disk image."""
    if run.simulate or not run.declared.stand_ins:
        return Done("no stand-ins here", skipped=True)
    from infra.pipeline import prerequisites  # noqa: PLC0415 (only where there are stand-ins)

    with run.part("prerequisites"):
        prerequisites.ensure(run.say)
    from infra.lab import accel, template  # noqa: PLC0415 (libvirt may have come just now)
    from infra.lab import image as images  # noqa: PLC0415

    with run.part("image"):
        made = images.ensure_image(run.say)
    with run.part("acceleration"):
        run.say("proving hardware acceleration with a short boot")
        probed = accel.probe(made.kernel)
        run.note(acceleration=f"{probed.kind}: {probed.reason}")
        run.say(run.record.acceleration)
    with run.part("templates"):
        # Before the machines ask for them one by one: this is where the minutes go, so it is told here.
        kinds = dict.fromkeys(_hardware(machine) for machine in _machines(run) if machine.stand_in)
        for hardware in kinds:
            template.ensure_template(made, hardware, probed.kind, run.say)
    return Done(f"image {made.key}, {len(kinds)} templates, acceleration {probed.kind}")


def boot(run: Run) -> Done:
    """Wait until the machines that got power answer."""
    from infra.pipeline import boot as booting  # noqa: PLC0415 (this module is imported for `--step` too)

    if run.simulate or not run.declared.stand_ins:
        return Done("no stand-ins here", skipped=True)
    took = booting.wait(_machines(run), run.site, run.say)
    for name, seconds in took.items():
        run.log(f"{name}: {seconds} s")
    slowest = max(took, key=lambda name: took[name])
    return Done(f"{len(took)} machines answer ssh, {slowest} last")


def configure(run: Run) -> Done:
    """Run the playbooks."""
    from infra.rollout.slurm import resume_repaired  # noqa: PLC0415 (see above)

    if run.simulate:
        return Done("simulated devices have no operating system", skipped=True)
    configured = play(run.site, run.say, run.log, limit=run.limit)
    run.note(
        configured=tuple(
            ConfiguredRecord(
                machine=name, ok=host.ok, changed=host.changed, failed=host.failed, skipped=host.skipped
            )
            for name, host in configured.hosts.items()
        )
    )
    for name, seconds in configured.seconds_by_play:
        run.parts.append((name, seconds))
    back = resume_repaired(run.site, run.say) if run.limit is None else []
    words = f"{len(configured.hosts)} machines, {configured.changed} changes"
    if back:
        words += f"; {len(back)} nodes back in Slurm"
    return Done(words, changes=configured.changed)


def verify(run: Run) -> Done:
    """Check the machines against the plan."""
    from infra.pipeline import verification  # noqa: PLC0415 (see above)
    from infra.process import stream  # noqa: PLC0415
    from infra.report import checks  # noqa: PLC0415

    if run.simulate:
        return Done("simulated devices have no operating system", skipped=True)
    verification.results(run.site).unlink(missing_ok=True)
    code = stream(verification.words(run.site), run.say, cwd=paths.ROOT)
    found = checks.load(run.site)
    summary = found.summary if found else "no result"
    if code:
        failed = [f"  {check.machine or run.site}: {check.name}" for check in found.failed] if found else []
        raise UserError(
            f"{summary}\n" + "\n".join(failed)
            if failed
            else f"the checks did not run: pytest exit code {code}",
            hint=f"see {run.log_file}",
        )
    return Done(summary)


def report(run: Run) -> Done:
    """Write the page and its JSON twin."""
    from infra.report import page  # noqa: PLC0415 (Jinja is slow to import)

    if run.planned is None:  # the declaration itself was refused: there is nothing to report
        return Done("nothing was declared", skipped=True)
    # The page cannot time its own writing: it shows the steps before it.
    steps = tuple(step for step in run.record.steps if step.name != "report")
    written = page.write(run.record.model_copy(update={"steps": steps}), run.planned)
    return Done(str(written.relative_to(paths.ROOT)))


def _hardware(machine: Machine) -> Hardware:
    from infra.lab.template import Hardware  # noqa: PLC0415 (see above)

    sizes = machine.stand_in
    assert sizes is not None
    return Hardware(sizes.vcpus, sizes.memory_mib, sizes.disk_gib, len(machine.nics))


def _range(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def _machines(run: Run) -> tuple[Machine, ...]:
    from infra.plan import machines_of  # noqa: PLC0415 (polars is slow to import)

    return machines_of(run.planned)


def all_steps(titles: Mapping[str, str]) -> tuple[Step, ...]:
    """Every step in order, with its title for the display."""
    from infra.pipeline import stacks  # noqa: PLC0415 (the engine is slow to import)

    work = {
        "declare": declare,
        "image": image,
        "preview": stacks.preview,
        "up": stacks.make,
        "boot": boot,
        "configure": configure,
        "verify": verify,
        "report": report,
    }
    return tuple(Step(name, title, work[name], always=name == "report") for name, title in titles.items())
