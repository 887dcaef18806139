"""A slurmctld that knows reservations and whose jobs start at once where they may."""

from __future__ import annotations

import re

from infra.errors import UserError


class Slurm:
    """Answers the commands of infra.acceptance.reservations.

    Attributes:
        nodes: names of those that it knows.
        reservation: fields of the one that is made, or None.
        leaks: whether it lets everybody onto reserved nodes.
        jobs: state by number.
    """

    def __init__(self, nodes):
        self.nodes, self.reservation, self.leaks, self.jobs = nodes, None, False, {}

    def __call__(self, name, command):  # noqa: PLR0911 (one a command)
        if command.startswith("scontrol create reservation"):
            return self._create(name, dict(re.findall(r"(\w+)=(\S+)", command)))
        if command.startswith("scontrol delete Res"):
            self.reservation = None
            return ""
        if command == "scontrol --oneliner show reservation":
            held = self.reservation or {"No": "reservations"}
            return " ".join(f"{key}={value}" for key, value in held.items())
        if found := re.search(r"sudo -u (?!gigasite)(\w+) sbatch --parsable --nodelist=(\S+)", command):
            return self._submit(name, *found.groups(), "--reservation=" in command)
        if found := re.search(r"squeue --noheader --jobs=(\d+)", command):
            return self.jobs.get(found[1])
        if found := re.search(r"sinfo --noheader --Node --nodes=(\S+) --format='%N %T'", command):
            states = "maint" if self._active() else "idle"
            return "".join(f"{node} {states}\n" for node in found[1].split(","))
        return None

    def _create(self, name, words):
        if unknown := set(words["Nodes"].split(",")) - set(self.nodes):
            raise UserError(f"Requested nodes are not known: {min(unknown)}", where=name)
        state = "INACTIVE" if "days" in words["StartTime"] else "ACTIVE"
        count = len(words["Nodes"].split(","))
        self.reservation = {**words, "NodeCnt": count, "State": state, "EndTime": "then"}
        return ""

    def _submit(self, name, user, node, inside):
        held = self._active() and node in self.reservation["Nodes"].split(",") and not self.leaks
        mine = held and user == self.reservation["Users"]
        if inside and held and not mine:
            raise UserError("Access denied to requested reservation", where=name)
        number = f"{100 + len(self.jobs)}"
        self.jobs[number] = "RUNNING" if not held or (mine and inside) else "PENDING"
        return number

    def _active(self):
        return bool(self.reservation) and self.reservation["State"] == "ACTIVE"
