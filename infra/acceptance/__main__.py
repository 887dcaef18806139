"""`python -m infra.acceptance STEP --site SITE`: do one step and print its JSON; exit 1 if it failed."""

from __future__ import annotations

import argparse
import json
import sys

from infra.acceptance.steps import STEPS, run_step


def main(words: list[str] | None = None) -> int:
    """Read the arguments, do the step, print."""
    parser = argparse.ArgumentParser(prog="python -m infra.acceptance", description=__doc__)
    parser.add_argument("step", choices=sorted(STEPS), metavar="STEP", help=", ".join(sorted(STEPS)))
    parser.add_argument("--site", required=True, help="a site's name: inventories/SITE/site.yaml")
    parser.add_argument("--machine", help="the tray that steps of one node are about; the first without it")
    options = parser.parse_args(words)
    found = run_step(options.step, options.site, options.machine)
    sys.stdout.write(f"{json.dumps(found, indent=1)}\n")
    return 0 if found["success"] else 1


if __name__ == "__main__":
    sys.exit(main())
