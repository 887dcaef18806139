"""Judge this node's health: exit 0 healthy, 1 unhealthy, 2 cannot tell.

Needs Python's standard library and nothing else. What is planned for the node is in the file of --plan, which
`gigasite configure` renders from the site's declaration and the platform's data.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import select
import signal
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import accelerators
import host
import kernel_log
import metrics
import nvml
import slurm
from accelerators import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAN = "/etc/gigasite/gpu_health.toml"
EXIT = {"healthy": 0, "unhealthy": 1, "unknown": 2}
NVML_S = 20
"""How long the driver may take for all accelerators together: one that hangs would hang every reader."""
SCHEMA = 1
LOCK = "run/gigasite/gpu_health.lock"

Seen = dict[str, Any]
"""What was read: `gpus` as nvml.read_accelerators gives them, `xids` as kernel_log.find_open_xids."""


def main(words: list[str] | None = None) -> int:
    """Run the checks, print what they found, and tell Slurm if asked to."""
    options = _parse(words)
    with _alone(Path(options.root)):
        return _run(options)


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Wait for another run on this node, so that the verdict that began last is told last.

    Whoever may not write there changes nothing either, and does not wait. The lock is the process's own: a
    child that hangs in the driver does not keep it.
    """
    try:
        (root / LOCK).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        file = (root / LOCK).open("w")
    except OSError:
        yield
        return
    with file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield


def _run(options: argparse.Namespace) -> int:
    begin = time.monotonic()
    plan: dict[str, Any] = {}
    seen: Seen = {"gpus": [], "xids": {}}
    try:
        plan = tomllib.loads(Path(options.plan).read_text())
        outcomes = judge(plan, Path(options.root), seen)
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"{options.plan} lacks {error}" if isinstance(error, KeyError) else f"{options.plan}: {error}"
        outcomes = {"plan": Outcome("unknown", what)}
    report = summarize(outcomes, time.monotonic() - begin)
    if options.textfile and Path(options.textfile).parent.is_dir():
        try:
            metrics.write_metrics(Path(options.textfile), plan, outcomes, seen)
        except OSError as error:  # a full disk is a finding: Slurm has to hear of it all the same
            print(f"gpu_health: {options.textfile}: {error.strerror}", file=sys.stderr)
    if options.json:
        print(json.dumps(report))
    elif not options.slurm:
        print(table(outcomes))
        print(f"{report['host']}: {report['state']}{': ' if report['reason'] else ''}{report['reason']}")
    if not options.slurm:
        return EXIT[str(report["state"])]
    try:
        print(slurm.tell(str(report["state"]), str(report["reason"])))
    except slurm.SlurmError as error:
        print(f"gpu_health: {error}", file=sys.stderr)
        return 1
    # slurmd takes anything else as a failure of the program: its verdict has been told.
    return 0


def _parse(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="gpu_health", description="Judge this node's health: exit 0 healthy, 1 unhealthy, 2 cannot tell."
    )
    parser.add_argument("--json", action="store_true", help="print one flat JSON object instead of a table")
    parser.add_argument(
        "--slurm", action="store_true", help="drain this node with the reason; resume it if drained from here"
    )
    parser.add_argument("--plan", default=PLAN, metavar="FILE", help="what is planned (default: %(default)s)")
    parser.add_argument(
        "--textfile", metavar="FILE", help="write metrics for Prometheus there, if its folder exists"
    )
    parser.add_argument("--root", default="/", metavar="DIR", help="folder of proc, sys, dev and run")
    return parser.parse_args(words)


def judge(plan: dict[str, Any], root: Path, seen: Seen) -> dict[str, Outcome]:
    """Run every check that the plan has a part for, and note what was seen; a broken one could not tell."""
    outcomes: dict[str, Outcome] = {}
    planned = plan.get("accelerators")
    if planned and planned["interface"] != "nvml":
        outcomes["accelerators"] = Outcome("unknown", f"{planned['interface']} is not read by this program")
    elif planned:
        outcomes |= _judge_accelerators(planned, root, seen)
    outcomes |= {name: _attempt(check, plan["host"], root) for name, check in host.CHECKS.items()}
    return outcomes


def _judge_accelerators(planned: dict[str, Any], root: Path, seen: Seen) -> dict[str, Outcome]:
    found = read_apart(nvml.read_accelerators, NVML_S)
    if "error" in found:
        outcomes = {"driver": Outcome("unhealthy", str(found["error"]))}
    else:
        seen |= found
        outcomes = {name: _attempt(check, planned, seen) for name, check in accelerators.CHECKS.items()}
    try:
        seen["xids"] = kernel_log.find_open_xids(root)
    except kernel_log.UnreadableLogError as error:
        return outcomes | {"xid": Outcome("unknown", str(error))}
    return outcomes | {"xid": _attempt(accelerators.check_xid, planned, seen)}


def _attempt(check: Any, *words: Any) -> Outcome:
    try:
        found: Outcome = check(*words)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        return Outcome("unknown", f"{type(error).__name__}: {error}")
    return found


def read_apart(read: Any, limit: float) -> dict[str, Any]:
    """Return what a function returns in a process of its own, or `error` if it gives nothing in time."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        try:
            text = json.dumps(read())
        except Exception as error:  # noqa: BLE001 (told to the parent, whatever it is)
            text = json.dumps({"error": str(error)})
        with os.fdopen(into, "w") as stream:
            stream.write(text)
        os._exit(0)
    os.close(into)
    end, text = time.monotonic() + limit, b""
    try:
        while select.select([out], [], [], max(0.0, end - time.monotonic()))[0]:
            part = os.read(out, 65536)
            if not part:
                os.waitpid(child, 0)
                found: dict[str, Any] = json.loads(text) if text else {"error": "the reader ended early"}
                return found
            text += part
    finally:
        os.close(out)
    os.kill(child, signal.SIGKILL)  # and not waited for: it may hang in the driver
    return {"error": f"no answer from the driver within {limit:.0f} s"}


def summarize(outcomes: dict[str, Outcome], seconds: float) -> dict[str, object]:
    """Return the flat report: the verdict, and each check's state and detail."""
    states = {outcome.state for outcome in outcomes.values()}
    state = next((word for word in ("unhealthy", "unknown") if word in states), "healthy")
    wrong = [f"{name}: {one.detail}" for name, one in outcomes.items() if one.state == state != "healthy"]
    report: dict[str, object] = {
        "schema": SCHEMA,
        "host": os.uname().nodename,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(seconds, 3),
        "state": state,
        "exit": EXIT[state],
        "reason": "; ".join(wrong),
    }
    for name, outcome in outcomes.items():
        report[name], report[f"{name}_detail"] = outcome
    return report


def table(outcomes: dict[str, Outcome]) -> str:
    """Return the outcomes as a person reads them."""
    rows = [("check", "state", "detail"), *((name, *outcome) for name, outcome in outcomes.items())]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{one:<{widths[0]}}  {two:<{widths[1]}}  {three}" for one, two, three in rows)


if __name__ == "__main__":
    sys.exit(main())
