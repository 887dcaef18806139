"""Variables of roles as machines have them: defaults, group_vars and host_vars beside the declaration.

The files are read and merged as Ansible does it (ansible.builtin.host_group_vars): `all`, then the other
groups by name, then the machine. What `ansible-playbook` is given besides (`-e`, `vars` of a play) only
Ansible knows.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra import paths
from infra.errors import Problem, Problems, UserError
from infra.roles.variables import nearest, role_variables
from infra.rollout.inventory.observed import Observed
from infra.rollout.inventory.roster_cache import roster_at
from infra.spec import document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from infra.rollout.inventory.roster import Roster

KINDS = ("group_vars", "host_vars")
ENDINGS = ("", ".yml", ".yaml", ".json")
"""Of files with variables (Ansible's YAML_FILENAME_EXTENSIONS)."""
TEMPLATE_MARKS = ("{{", "{%", "{#")


def accept_values(site: str, role: str, values: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Return a role's values as its argument specification makes them: `"3"` is 3 where an int is wanted.

    Args:
        site: name of the site.
        role: its name.
        values: by name; the role's default stands for one that is not there.
        where: the machine.

    Raises:
        UserError: a value is of another type, or none of the choices.
    """
    known = role_variables(site)[role]
    given = {name: values[name] for name in known.defaults if name in values}
    found = {**known.defaults, **given}
    for name, value in given.items():
        if value == known.defaults[name]:
            continue
        found[name], wrong = _accept(name, value, known.options[name])
        if wrong:
            raise UserError(f"{name}: {wrong}", where=where or f"role {role}")
    return found


def _accept(name: str, value: Any, option: Mapping[str, Any]) -> tuple[Any, str]:
    """Return a value as its option wants it, and what is wrong with it."""
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator  # noqa: PLC0415 (0.2 s)

    if value is None:
        return None, "has no value"
    validator = ArgumentSpecValidator({name: dict(option)})  # type: ignore[no-untyped-call]
    judged = validator.validate({name: value})  # type: ignore[no-untyped-call]
    if not judged.error_messages:
        return judged.validated_parameters[name], ""
    choices = option.get("choices")
    wanted = f"is none of {', '.join(map(str, choices))}" if choices else f"is no {option['type']}"
    return None, f"{value!r} {wanted}"


def check_variables(site: str) -> None:
    """Look at the files with variables beside a declaration; see `SiteVariables.check`.

    Raises:
        Problems: every mistake, with file and line.
    """
    SiteVariables(site, roster_at(paths.inventory(site) / "site.yaml")).check()


class SiteVariables:
    """Variables of the machines of a site.

    Args:
        site: name of the site.
        roster: names and groups.
    """

    def __init__(self, site: str, roster: Roster) -> None:
        self._site, self._roster, self._folder = site, roster, paths.inventory(site)

    def of(self, name: str, roles: Iterable[str], known: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """Return the variables of the roles of one machine.

        Args:
            name: of the machine.
            roles: names of the roles that it has.
            known: gives the variables `machine` and `site`; asked only where a value is a template.

        Raises:
            UserError: a value is wrong.
        """
        own = self._merged(name) if self._there else {}
        variables = role_variables(self._site)
        found: dict[str, Any] = {}
        for role in roles:
            given = {key: own[key] for key in variables[role].defaults if key in own}
            if _is_templated(given):
                given = self._fill_in(given, {**own, **known(), "inventory_hostname": name}, name)
            found |= accept_values(self._site, role, given, name)
        return found

    @cached_property
    def _there(self) -> bool:
        return any((self._folder / kind).is_dir() for kind in KINDS)

    @cached_property
    def _loader(self) -> Any:
        from ansible.parsing.dataloader import DataLoader  # noqa: PLC0415 (0.7 s, and most sites need it not)

        return DataLoader()  # type: ignore[no-untyped-call]

    def _merged(self, name: str) -> dict[str, Any]:
        row = self._roster.rows[name]
        observed = [group for group, rows in self._named_observed.items() if row in rows]
        merged: dict[str, Any] = {}
        for group in ("all", *sorted((*self._roster.groups_of(row), *observed))):
            merged |= self._read("group_vars", group)
        return merged | self._read("host_vars", name)

    @cached_property
    def _observed(self) -> Observed:
        return Observed(self._roster)

    @cached_property
    def _named_observed(self) -> dict[str, frozenset[int]]:
        """Rows of observed groups that have variables."""
        return {
            group: frozenset(self._observed[group])
            for group in self._observed
            if any(self._files("group_vars", group))
        }

    @cached_property
    def _kept(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {}

    def _read(self, kind: str, name: str) -> dict[str, Any]:
        key = (kind, name)
        if key not in self._kept:
            found: dict[str, Any] = {}
            for file in self._files(kind, name):
                found |= _load(self._loader, file)
            self._kept[key] = found
        return self._kept[key]

    def _files(self, kind: str, name: str) -> list[str]:
        folder = self._folder / kind
        return list(map(str, self._loader.find_vars_files(str(folder), name))) if folder.is_dir() else []

    def _fill_in(self, given: dict[str, Any], known: dict[str, Any], name: str) -> dict[str, Any]:
        from ansible.errors import AnsibleError  # noqa: PLC0415
        from ansible.template import Templar  # noqa: PLC0415

        try:
            found: dict[str, Any] = Templar(loader=self._loader, variables=known).template(given)
        except AnsibleError as error:
            raise UserError(f"{', '.join(given)}: {error}", where=name) from error
        return found

    def check(self) -> None:
        """Look at each file of variables: whose they are, names that roles have, types.

        Raises:
            Problems: every mistake, with file and line.
        """
        role_variables(self._site)
        problems = [problem for kind in KINDS for problem in self._mistakes(kind)] if self._there else []
        if problems:
            raise Problems(problems)

    def _mistakes(self, kind: str) -> Iterator[Problem]:
        known = self._roster.rows if kind == "host_vars" else self._groups
        folder = self._folder / kind
        for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
            name = entry.name.removesuffix(entry.suffix) if entry.suffix in ENDINGS else entry.name
            if entry.name.startswith(".") or entry.name.endswith("~"):
                continue
            if name not in known:
                what = "machine" if kind == "host_vars" else "group"
                message = f"there is no {what} {name!r}"
                yield Problem(document.display(entry), 1, "$", message, nearest(name, known))
                continue
            for file in self._files(kind, name):
                yield from self._file_mistakes(paths.ROOT / file)

    @cached_property
    def _groups(self) -> set[str]:
        return {"all", "ungrouped", *self._roster.groups, *self._observed}

    def _file_mistakes(self, file: Path) -> Iterator[Problem]:
        values = _load(self._loader, str(file))
        if not values:
            return
        lines = document.read(file)
        variables = role_variables(self._site)
        for name, value in values.items():
            role = next((role for role in variables if name.startswith(f"{role}_")), None)
            if role is None:
                continue
            option = variables[role].options.get(name)
            if option is None:
                hint = nearest(name, variables[role].options)
                yield lines.problem((name,), f"the role {role} has no variable `{name}`", hint)
            elif _is_encrypted(value):
                yield lines.problem((name,), f"`{name}` is encrypted", "a role's variables are no secrets")
            elif not _is_templated(value) and (wrong := _accept(name, value, option)[1]):
                yield lines.problem((name,), wrong, f"{name}: {option['description']}")


def _load(loader: Any, file: str) -> dict[str, Any]:
    """Return the values of a file; none of one that is encrypted as a whole, since roles' are no secrets."""
    from ansible.errors import AnsibleError  # noqa: PLC0415

    with open(file, encoding="utf-8", errors="replace") as text:  # noqa: PTH123 (a path of Ansible's)
        if text.readline().startswith("$ANSIBLE_VAULT"):
            return {}
    try:
        values = loader.load_from_file(file, cache="all", trusted_as_template=True)
    except AnsibleError as error:
        document.read(Path(file))  # says the line of what is no YAML
        raise UserError(" ".join(str(error).split()), where=file) from error
    if not isinstance(values, dict | None):
        raise UserError("is no mapping", where=file, hint="write `NAME: VALUE` lines")
    return dict(values or {})


def _is_templated(value: Any) -> bool:
    if isinstance(value, str):
        return any(mark in value for mark in TEMPLATE_MARKS)
    inner = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(_is_templated, inner))


def _is_encrypted(value: Any) -> bool:
    return type(value).__name__ == "EncryptedString"
