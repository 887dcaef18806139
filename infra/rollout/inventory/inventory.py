"""Ansible's inventory of a plan: hosts and groups are there by name, and made when somebody asks for them.

Ansible goes through all groups and hosts of an inventory several times before a play begins. Of a site with
140,000 machines and 20,000 groups that takes minutes, and a play on one pod needs 2,600 of them. So the
inventory's mappings know all names, and `values()` gives what is in use so far: Ansible asks for it only to
put hosts without a group into `ungrouped` and for vars plugins that want to run at the start.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from ansible.inventory.data import InventoryData
from ansible.inventory.group import Group
from ansible.inventory.host import Host
from ansible.template import trust_as_template

from infra.errors import UserError
from infra.rollout.inventory.roster import group_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from infra.rollout.inventory.roster import Roster

TEMPLATE_MARKS = ("{{", "{%", "{#")
T = TypeVar("T")


class Untemplated(str):
    """Text that is no template, for a listing only: Ansible's mark of trust takes 400 bytes for each text."""

    __slots__ = ()


class PlannedHost(Host):
    """A host whose variables and groups are made when they are asked for."""

    implicit = False
    _vars: dict[str, Any] | None = None
    _groups: list[Group] | None = None
    name: str
    _inventory: PlannedInventory
    _row: int

    # Made without Host's constructor, by `PlannedInventory.host_at`: `hosts: all` makes 140,000.

    @property
    def _uuid(self) -> str:  # type: ignore[override]
        return self.name

    @property
    def address(self) -> str:  # type: ignore[override]
        """Return the address of a machine, unless its variables override it."""
        return self.name

    @property
    def vars(self) -> dict[str, Any]:
        """Its own variables."""
        if self._vars is not None:
            return self._vars
        return self._inventory.keep(self, "_vars", self._inventory.variables(self.name))

    @vars.setter  # noqa: A003 (Ansible's name)
    def vars(self, value: dict[str, Any]) -> None:
        self._vars = value

    @property
    def groups(self) -> list[Group]:
        """Groups that it is in, `all` first."""
        if self._groups is not None:
            return self._groups
        names = (
            "all",
            *self._inventory.roster.groups_of(self._row),
            *self._inventory.extra_groups(self._row),
        )
        return self._inventory.keep(self, "_groups", [self._inventory.groups[name] for name in names])

    @groups.setter
    def groups(self, value: list[Group]) -> None:
        self._groups = value

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Host) and self._uuid == other._uuid)


class PlannedGroup(Group):
    """A group whose members are made when they are asked for."""

    def __init__(self, inventory: PlannedInventory, name: str, rows: Callable[[], Iterable[int]]) -> None:
        self._inventory, self._rows = inventory, rows
        self._members: list[Host] | None = None
        self._vars: dict[str, Any] | None = None
        super().__init__(name)
        self.depth = 0 if name == "all" else 1
        self.parent_groups = [] if name == "all" else [inventory.groups["all"]]

    @property
    def hosts(self) -> list[Host]:
        """Its own members."""
        if self._members is not None:
            return self._members
        return self._inventory.keep(self, "_members", self._inventory.hosts_at(self._rows()))

    @hosts.setter
    def hosts(self, value: list[Host]) -> None:
        if value:  # Group's constructor sets an empty list
            self._members = value

    @property
    def vars(self) -> dict[str, Any]:
        """Its own variables."""
        if self._vars is None:
            self._vars = self._inventory.group_variables(self.name)
        return self._vars

    @vars.setter  # noqa: A003 (Ansible's name)
    def vars(self, value: dict[str, Any]) -> None:
        if value:  # Group's constructor sets an empty mapping
            self._vars = value

    def _get_hosts(self) -> list[Host]:
        if self.name == "all" or self.child_groups:
            return list(
                dict.fromkeys((*self.hosts, *(host for group in self.child_groups for host in _own(group))))
            )
        return self.hosts


class AllGroup(PlannedGroup):
    """`all`: the plan's groups are its children, which only a listing asks for."""

    @property
    def child_groups(self) -> list[Group]:
        """Every other group, once somebody wants them all."""
        if self._inventory.listing:
            known = {"all", *(group.name for group in self._children)}
            names = [name for name in self._inventory.groups if name not in known]
            self._children += [self._inventory.groups[name] for name in names]
        return self._children

    @child_groups.setter
    def child_groups(self, value: list[Group]) -> None:
        self._children = value


def _own(group: Group) -> list[Host]:
    """Members of a group that no plan made; a planned one's are in `all` already."""
    return [] if isinstance(group, PlannedGroup) else list(group.get_hosts())


class _OnDemand(MutableMapping[str, Any]):
    """Names with a value each, made by a function at the first use."""

    def __init__(self, names: Mapping[str, Any], make: Callable[[str], Any], made: dict[str, Any]) -> None:
        self._names, self._make, self._made = names, make, made
        self._gone: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        found = self._made.get(name)
        if found is None:
            if name not in self._names or name in self._gone:
                raise KeyError(name)
            found = self._made[name] = self._make(name)
        return found

    def __setitem__(self, name: str, value: Any) -> None:
        self._made[name] = value
        self._gone.discard(name)

    def __delitem__(self, name: str) -> None:
        self[name]
        self._made.pop(name, None)
        self._gone.add(name)

    def __contains__(self, name: object) -> bool:
        return name in self._made or (name in self._names and name not in self._gone)

    def __iter__(self) -> Iterator[str]:
        yield from (name for name in self._names if name not in self._gone)
        yield from (name for name in list(self._made) if name not in self._names)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def values(self) -> Any:
        """Values in use so far; see the module."""
        return list(self._made.values())

    def items(self) -> Any:
        """Names and values in use so far; see the module."""
        return list(self._made.items())


class _NamesByGroup(Mapping[str, list[str]]):
    """The magic variable `groups`."""

    def __init__(self, groups: Mapping[str, Group]) -> None:
        self._groups = groups

    def __getitem__(self, name: str) -> list[str]:
        return [host.name for host in self._groups[name].get_hosts()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)


class PlannedInventory(InventoryData):
    """Result of `adopt`: the planned part of an inventory."""

    roster: Roster
    listing: bool
    complete: bool = False
    made: dict[str, Host]
    _variables: Callable[[str], dict[str, Any]]
    _site_variables: Callable[[], dict[str, Any]]
    _extra: Mapping[str, Sequence[int]]
    _extra_rows: dict[str, frozenset[int]] | None = None

    def variables(self, name: str) -> dict[str, Any]:
        """Variables of one host, trusted."""
        return {str(key): trust_strings(value) for key, value in self._variables(name).items()}

    def group_variables(self, name: str) -> dict[str, Any]:
        """Variables of a group, trusted: the site's has some."""
        return trust_strings(self._site_variables()) if name == group_name("site", self.roster.site) else {}

    def keep(self, owner: Host | Group, name: str, made: T) -> T:
        """Keep what was made for a host or a group, which other sources may change.

        A listing reads each once when all sources are there, and has no room to keep all of a big site.
        """
        if not (self.listing and self.complete):
            setattr(owner, name, made)
        return made

    def hosts_at(self, rows: Iterable[int]) -> list[Host]:
        """Hosts of some rows."""
        made, names, found = self.made, self.roster.names, []
        for row in rows:
            name = names[row]
            host = made.get(name)
            if host is None:
                host = made[name] = PlannedHost.__new__(PlannedHost)
                host.name, host._inventory, host._row = name, self, row  # noqa: SLF001
            found.append(host)
        return found

    def reconcile_inventory(self) -> None:
        """Put hosts and groups that other sources added below `all` and `ungrouped`; the plan's are right."""
        hosts, groups = self.hosts, self.groups
        self.hosts = {host.name: host for host in hosts.values() if not isinstance(host, PlannedHost)}
        self.groups = {group.name: group for group in groups.values()}
        try:
            super().reconcile_inventory()
        finally:
            self.hosts, self.groups = hosts, groups
        self.complete = True  # Ansible calls this when it has read all sources

    def extra_groups(self, row: int) -> tuple[str, ...]:
        """Groups of a row that are not the plan's."""
        if self._extra_rows is None:
            self._extra_rows = {}
            with suppress(UserError):  # what was seen of machines cannot be read: a pattern says so
                self._extra_rows.update((name, frozenset(rows)) for name, rows in self._extra.items())
        return tuple(name for name, rows in self._extra_rows.items() if row in rows)

    def get_groups_dict(self) -> Mapping[str, list[str]]:  # type: ignore[override]
        """Names of hosts by group."""
        return _NamesByGroup(self.groups)


def adopt(
    inventory: Any,
    roster: Roster,
    variables: Callable[[str], dict[str, Any]],
    site_variables: Callable[[], dict[str, Any]],
    extra: Mapping[str, Sequence[int]],
    *,
    listing: bool,
) -> None:
    """Put a roster into Ansible's inventory, which keeps what other sources put there.

    Args:
        inventory: Ansible's InventoryData.
        roster: names and groups.
        variables: gives a host's variables.
        site_variables: gives those of the site's group.
        extra: more groups, with their rows.
        listing: every group is wanted, for `ansible-inventory --list` and `--graph`.
    """
    inventory.__class__ = PlannedInventory
    inventory.roster, inventory.listing = roster, listing
    inventory._variables, inventory._site_variables, inventory._extra = variables, site_variables, extra  # noqa: SLF001
    before = inventory.groups

    def make_group(name: str) -> Group:
        rows = extra.get(name)
        return PlannedGroup(inventory, name, lambda: roster.members(name) if rows is None else rows)

    inventory.made = dict(inventory.hosts)
    inventory.hosts = _OnDemand(
        roster.rows, lambda name: inventory.hosts_at([roster.rows[name]])[0], inventory.made
    )
    everything = AllGroup.__new__(AllGroup)
    everything._children = []  # noqa: SLF001
    inventory.groups = {"all": everything}
    AllGroup.__init__(everything, inventory, "all", lambda: range(len(roster.names)))
    everything.child_groups = list(before["all"].child_groups)
    for group in everything._children:  # noqa: SLF001
        group.parent_groups = [everything]
    everything.vars = before["all"].vars
    known = {**roster.groups, **dict.fromkeys(extra, None)}
    inventory.groups = _OnDemand(known, make_group, {**before, "all": everything})


def trust_strings(value: Any) -> Any:
    """Mark strings as trusted, so that they are shown as they are; not those that look like templates."""
    if isinstance(value, Untemplated):
        return value
    if isinstance(value, str):
        return value if any(mark in value for mark in TEMPLATE_MARKS) else trust_as_template(str(value))
    if isinstance(value, Mapping):
        return {str(key): trust_strings(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [trust_strings(inner) for inner in value]
    return value
