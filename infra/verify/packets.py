"""Packets between machines: who gets an answer from whom, by which protocol, on which port.

Every machine answers on all ports that are asked of it; where a service of its own holds one, that answers.
What is not let in gets no answer. Both programs run on the machines for seconds and leave nothing there.
"""

from __future__ import annotations

import base64
import json
import shlex
import zlib
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from infra.paths import ROOT
from infra.render.matrix import OPEN, ROCE, Matrix, Probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from infra.render.matrix import Endpoint

    Asked = tuple[Endpoint, Endpoint, str, int]
    """Source, target, protocol and port of a packet."""

PROGRAMS = ROOT / "playbooks" / "files" / "packets"
PATIENCE_S = (5.0, 60.0)
"""Seconds that a packet has to leak, and that an allowed one has to be answered: emulated machines answer
in milliseconds, and in seconds where the host has more to do."""
ANSWER_S = 300
"""Seconds after which a machine stops answering by itself, should nobody stop it."""
PLAIN = (("tcp", 22), ("tcp", ROCE), ("udp", ROCE), ("udp", ROCE + 1))
"""What is asked of every site: administration, and RoCE with its neighbour and its other protocol."""


class Sent(NamedTuple):
    """Packets that were sent, and doors that could not be asked: a program holds them and does not answer."""

    probes: list[Probe]
    held: list[str]


def ports_of(matrix: Matrix) -> list[tuple[str, int]]:
    """List what is worth asking: the ends of each allowed range, and the ports beside them."""
    found = set(PLAIN)
    for one in (one for passes in matrix.passes.values() for one in passes):
        ends = {one.first, one.last}
        if one.last != one.first:
            ends |= {one.first - 1, one.last + 1}
        found |= {(one.protocol, port) for port in ends if 0 < port < 1 << 16}
    return sorted(found)


def every_packet(ends: Sequence[Endpoint], ports: Sequence[tuple[str, int]]) -> list[Asked]:
    """List a packet for each port from each address to each of other machines, so in both directions."""
    return [
        (source, target, kind, port)
        for source in ends
        for target in ends
        if source.machine != target.machine
        for kind, port in ports
    ]


def send(
    run: Callable[[str, str], str], matrix: Matrix, asked: Sequence[Asked],
    patience: tuple[float, float] = PATIENCE_S,
) -> Sent:  # fmt: skip
    """Send packets, all at once, and see which are answered.

    Args:
        run: runs a shell command on a machine as root and returns what it prints.
        matrix: says for which to wait longer.
        asked: the packets.
        patience: see `PATIENCE_S`.
    """
    doors: dict[str, set[tuple[str, str, int]]] = defaultdict(set)
    for _, target, kind, port in asked:
        doors[target.machine].add((kind, target.address, port))
    started: dict[str, dict[str, Any]] = {}
    with ThreadPoolExecutor(max_workers=32) as pool:
        try:
            started.update(pool.map(lambda machine: _open(run, machine, doors[machine]), doors))
            held = {(name, *door) for name, said in started.items() for door in map(tuple, said["held"])}
            kept = [one for one in asked if (one[1].machine, one[2], one[1].address, one[3]) not in held]
            passed = {
                one
                for found in pool.map(lambda part: _knock(run, matrix, part, patience), _by_source(kept))
                for one in found
            }
        finally:
            list(pool.map(lambda pair: run(pair[0], f"kill {pair[1]['pid']} || true"), started.items()))
    probes = [Probe(*one, number in passed) for number, one in enumerate(kept)]
    return Sent(probes, sorted(f"{name} {kind}/{port}" for name, kind, _, port in held))


def _by_source(asked: Iterable[Asked]) -> list[tuple[str, dict[int, Asked]]]:
    found: dict[str, dict[int, Asked]] = defaultdict(dict)
    for number, one in enumerate(asked):
        found[one[0].machine][number] = one
    return list(found.items())


def _open(
    run: Callable[[str, str], str], machine: str, doors: Iterable[tuple[str, str, int]]
) -> tuple[str, dict[str, Any]]:
    task = {"doors": sorted(doors), "seconds": ANSWER_S}
    return machine, json.loads(run(machine, _command("answer", task)))


def _knock(
    run: Callable[[str, str], str], matrix: Matrix, part: tuple[str, Mapping[int, Asked]],
    patience: tuple[float, float],
) -> list[int]:  # fmt: skip
    machine, asked = part
    numbers = list(asked)
    task = {
        "asked": [
            (kind, source.address, target.address, port) for source, target, kind, port in asked.values()
        ],
        "wanted": [place for place, one in enumerate(asked.values()) if matrix.decide_ends(*one).allowed],
        "least": patience[0],
        "most": patience[1],
    }
    return [numbers[place] for place in json.loads(run(machine, _command("knock", task)))]


def _command(program: str, task: Mapping[str, Any]) -> str:
    """Shell text that runs a program; a word of a command line has 128 KiB (execve(2), MAX_ARG_STRLEN)."""
    text = (PROGRAMS / f"{program}.py").read_text(encoding="utf-8")
    packed = base64.b64encode(zlib.compress(json.dumps(task).encode())).decode()
    return f"python3 -c {shlex.quote(text)} {packed}"


def print_sent(matrix: Matrix, sent: Sent) -> str:
    """Print for a person, by pairs of zones, how many packets were let in and how many kept out."""
    counts: Counter[tuple[str, str, bool, bool]] = Counter()
    for probe in sent.probes:
        wanted = matrix.decide_ends(*probe[:4]).allowed
        for source in matrix.known[probe.source.role] or [OPEN]:
            for target in matrix.known[probe.target.role] or [OPEN]:
                counts[source, target, wanted, probe.passed] += 1
    machines = {end.machine for probe in sent.probes for end in probe[:2]}
    ends = {end for probe in sent.probes for end in probe[:2]}
    lines = [f"{len(sent.probes):,} packets between {len(ends)} addresses of {len(machines)} machines"]
    pairs = list(dict.fromkeys((source, target) for source, target, _, _ in counts))
    width = max((len(f"{source} → {target}") for source, target in pairs), default=0)
    for source, target in pairs:
        into, out = (
            [counts[source, target, wanted, passed] for passed in (wanted, not wanted)]
            for wanted in (True, False)
        )
        lines.append(
            f"  {f'{source} → {target}':{width}}  {into[0]:,} of {sum(into):,} allowed got through,"
            f" {out[0]:,} of {sum(out):,} denied did not"
        )
    lines += [
        f"  RoCE {interface} → {interface}: {text}" for interface, text in _by_rail(matrix, sent.probes)
    ]
    lines += [
        f"not asked: {door}, which a service holds that does not answer" for door in dict.fromkeys(sent.held)
    ]
    return "\n".join(lines)


def _by_rail(matrix: Matrix, probes: Iterable[Probe]) -> Iterator[tuple[str, str]]:
    """How many of the packets of RoCE that are allowed crossed from an interface to its like elsewhere."""
    counts: dict[str, Counter[bool]] = defaultdict(Counter)
    for probe in probes:
        interface = probe.source.interface
        if (probe.protocol, probe.port) != ("udp", ROCE) or not interface == probe.target.interface != "lo":
            continue
        if matrix.decide_ends(*probe[:4]).allowed:
            counts[interface][probe.passed] += 1
    for interface, found in sorted(counts.items()):
        yield interface, f"{found[True]:,} of {found.total():,} got through"
