"""Tags that playbooks know: for a wrong one Ansible does nothing and calls that success."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra import yamltext
from infra.errors import UserError
from infra.paths import ROOT
from infra.roles.plays import other_roles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

ANSIBLES_OWN = frozenset({"all", "always", "never", "tagged", "untagged"})


def check_tags(tags: Iterable[str], playbooks: Iterable[Path], inventory: Path) -> None:
    """Refuse tags that nothing has.

    Args:
        tags: as given; with commas between or one each.
        playbooks: those that are run.
        inventory: the site's folder, which may have roles and playbooks of its own.

    Raises:
        UserError: it names every such tag.
    """
    wanted = {word.strip() for text in tags for word in text.split(",") if word.strip()} - ANSIBLES_OWN
    if not wanted:
        return
    written = {tag for tag in _known(playbooks, inventory) if "{{" not in tag}
    known = written | set(other_roles(inventory.name))  # whose tags are their names, by a template
    if strange := sorted(wanted - known):
        raise UserError(
            f"no task has the tag {', '.join(map(repr, strange))}",
            hint=f"known are {', '.join(sorted(known))}",
            done="Nothing was changed.",
        )


def check_skipped(tags: Iterable[str], site: str) -> None:
    """Refuse to skip a component: its role's task is one step, and Ansible would leave out all of it.

    Args:
        tags: as given to `--skip-tags`.
        site: its name.

    Raises:
        UserError: it names every such component and how to run the others.
    """
    from infra.roles import role_specs  # noqa: PLC0415 (only where tags are given)

    wanted = {word.strip() for text in tags for word in text.split(",")}
    for role, spec in role_specs(site).items():
        skipped = [name for name in spec.components if name in wanted]
        others = [name for name in spec.components if name not in wanted]
        if skipped and others and role not in wanted:
            raise UserError(
                f"--skip-tags {','.join(skipped)} would leave out the whole role {role}: it is one task",
                hint=f"name what shall run: --tags {','.join(others)}",
                done="Nothing was changed.",
            )


def _known(playbooks: Iterable[Path], inventory: Path) -> Iterator[str]:
    # More files than one run reads: a tag of another play of ours is no mistake that this has to find.
    folders = {ROOT / "playbooks", inventory / "playbooks", inventory / "roles"}
    files = {path for folder in folders for path in folder.rglob("*.y*ml")}
    files |= {path for playbook in playbooks for path in playbook.parent.glob("*.y*ml")}
    for path in sorted(files):
        try:
            yield from _tags(yamltext.load(path, lenient=True))  # `!vault` and the like
        except (yamltext.NotYamlError, UnicodeDecodeError, OSError):
            continue  # Ansible says what is wrong with it


def _tags(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        found = node.get("tags")
        if isinstance(found, str):
            yield from (word.strip() for word in found.split(","))
        elif isinstance(found, list):
            yield from map(str, found)
        for inner in node.values():
            yield from _tags(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _tags(inner)
