"""System packages that this checkout needs: which are missing, and their installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.pipeline import apt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.lab.prerequisites import Requirement


def requirements(*, tests: bool = True) -> tuple[Requirement, ...]:
    """Return the system packages that this checkout needs; `up` leaves out those of tests alone."""
    from infra.lab.prerequisites import CHECKERS, REQUIREMENTS  # noqa: PLC0415 (not for --help)

    return (*REQUIREMENTS, *CHECKERS) if tests else REQUIREMENTS


def missing_packages(wanted: Sequence[Requirement]) -> list[str]:
    """Debian packages of the requirements that are not met, in order, each once."""
    return list(
        dict.fromkeys(package for item in wanted if not item.check() for package in packages_of(item))
    )


def ensure(say: Callable[[str], None], *, tests: bool = False) -> None:
    """Install what this machine lacks, for the tests too if they are to run.

    Raises:
        UserError: this user may not install, or something is still missing afterwards.
    """
    from infra.errors import UserError  # noqa: PLC0415

    wanted = requirements(tests=tests)
    missing = [item for item in wanted if not item.check()]
    if not missing:
        return
    apt.install(missing_packages(missing), say)
    if still := [item.name for item in missing if not item.check()]:
        raise UserError(
            f"still missing after the installation: {', '.join(still)}", hint="see `gigasite doctor`"
        )


def packages_of(item: Requirement) -> tuple[str, ...]:
    """Return the Debian packages that bring a requirement."""
    return (item.apt,) if isinstance(item.apt, str) else tuple(item.apt)
