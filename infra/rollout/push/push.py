"""Push what the roles deploy to many machines, each over one connection, in the order of the playbook."""

from __future__ import annotations

import ast
import itertools
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from infra import paths
from infra.errors import UserError
from infra.rollout import ssh
from infra.rollout.inventory.facts import site_at
from infra.rollout.inventory.observed import Observed
from infra.rollout.inventory.patterns import NothingNamedError, select
from infra.rollout.inventory.roster_cache import roster_at
from infra.rollout.push.request import program, request_of

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from infra.rollout.inventory.roster import Roster
    from infra.rollout.nodes import Outcome
    from infra.rollout.push.steps import Step

AT_ONCE = 64
ANSWER_S = 900.0
"""How long a machine may take for all of a play, units that start and commands for changed files included."""


def push(site: str, steps: Sequence[Step], hosts: Iterable[str]) -> Iterator[Outcome]:
    """Do the steps of a playbook on some machines.

    A play begins when the one before has ended on all machines, as with Ansible; a machine that failed in
    one is in no further one. A machine that no play is for has no outcome.

    Args:
        site: name of the site.
        steps: see `plain_steps`.
        hosts: names.

    Raises:
        Problems: mistakes in group_vars and host_vars.
    """
    declaration = paths.inventory(site) / "site.yaml"
    roster = roster_at(declaration)
    source, seen = site_at(declaration), Observed(roster)
    source.values.check()
    if len(roster.names) <= ssh.NAMED:
        ssh.write_config(site, source.machines())
    left = dict.fromkeys(hosts)
    found: dict[str, str | None] = {}
    for pattern, play in itertools.groupby(steps, key=lambda step: step.hosts):
        tasks = list(play)
        sent: dict[str, Future[subprocess.CompletedProcess[str]]] = {}
        with ThreadPoolExecutor(AT_ONCE) as pool:  # the first machines connect while the next are rendered
            for name in (roster.names[row] for row in _rows(roster, pattern, seen)):
                if name not in left:
                    continue
                try:
                    facts = source.known(name)
                    given = program(*(request_of(step.role, step.components, facts) for step in tasks))
                except UserError as error:
                    found[name] = f"{tasks[0].role}: {error}"
                    left.pop(name)
                else:
                    sent[name] = pool.submit(
                        ssh.run_on, site, name, "sudo /usr/bin/python3 -S -E -", stdin=given, timeout=ANSWER_S
                    )
        for name, answer in sent.items():
            reason = _reason(site, name, answer)
            found[name] = reason and f"{tasks[0].role}: {reason}"
            if reason is not None:
                left.pop(name)
    yield from found.items()


def _rows(roster: Roster, pattern: str, seen: Observed) -> list[int]:
    """Rows of a play's machines; a pattern that names nothing picks none, as with Ansible."""
    try:
        return select(roster, pattern, seen)
    except NothingNamedError:
        return []


def _reason(site: str, host: str, answer: Future[subprocess.CompletedProcess[str]]) -> str | None:
    """Return why a machine did not carry its program out; None if it did.

    For the main thread alone, which compiles templates too: CPython 3.11 counts the depth of its parser for
    all threads together, and two at once can be a SystemError.
    """
    try:
        done = answer.result()
    except UserError as error:
        return error.message
    try:
        answers: list[Mapping[str, Any]] = [ast.literal_eval(line) for line in done.stdout.splitlines()]
    except (ValueError, SyntaxError):
        answers = []
    failed = next((str(answer["msg"]) for answer in answers if answer.get("failed")), None)
    if failed is None and (done.returncode or not answers):
        if why := ssh.explain_refusal(site, host, done.stderr):
            return why
        said = (done.stderr.strip() or done.stdout.strip() or "it gave no result").splitlines()[-1]
        return f"cannot be reached: {said}" if done.returncode == 255 else said
    return failed
