"""An auditor's figures of machines that are up, hardened ones beside others: Debian's lynis runs on each.

    python -m benchmarks.hardening lab lab-storage pod-01-leaf-01

It takes some 11 minutes on a machine that is emulated. Nothing stays there but its log in /var/log/lynis.log.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from infra.errors import UserError
from infra.process import run
from infra.rollout import ssh

LIMIT_S = 3600.0
AUDIT = (
    "cd /root/lynis && ./lynis audit system --quick --quiet --no-colors >/dev/null; "
    "cat /var/log/lynis-report.dat"
)


def fetch_lynis() -> bytes:
    """Return Debian's lynis in a tar, laid out as it runs from a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        run(["apt-get", "download", "lynis"], cwd=folder, timeout=120)
        run(["dpkg-deb", "--extract", next(folder.glob("lynis_*.deb")), folder], timeout=60)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(folder / "usr/sbin/lynis", "lynis/lynis")
            tar.add(folder / "etc/lynis/default.prf", "lynis/default.prf")
            for part in ("include", "db", "plugins"):
                if (folder / "usr/share/lynis" / part).exists():
                    tar.add(folder / "usr/share/lynis" / part, f"lynis/{part}")
        return packed.getvalue()


def audit(site: str, machine: str, lynis: bytes) -> dict[str, object]:
    """Return what lynis says of a machine: `machine, index, warnings, suggestions`.

    Raises:
        UserError: the machine cannot be reached, or lynis did not end.
    """
    words = ["ssh", "-F", str(ssh.config_path(site)), machine]
    with tempfile.NamedTemporaryFile() as file:
        file.write(lynis)
        file.flush()
        unpack = "sudo sh -c 'umask 077; tar -x --no-same-owner -C /root'"
        run(["sh", "-c", 'exec "$@" <"$0"', file.name, *words, unpack], timeout=120)
    try:
        report = run([*words, f"sudo sh -c '{AUDIT}'"], timeout=LIMIT_S).stdout
    finally:
        run([*words, "sudo rm -rf /root/lynis /var/log/lynis-report.dat"], check=False, timeout=60)
    found = re.search(r"^hardening_index=(\d+)$", report, re.MULTILINE)
    if found is None:
        raise UserError("lynis told no index", where=machine, hint="read /var/log/lynis.log there")
    told = {
        kind: [
            " ".join(part for part in line.split("|") if part and part != "-")
            for line in re.findall(rf"^{kind}\[\]=(.*)$", report, re.MULTILINE)
        ]
        for kind in ("warning", "suggestion")
    }
    return {
        "machine": machine,
        "index": int(found[1]),
        "warnings": told["warning"],
        "suggestions": told["suggestion"],
    }


def main() -> int:
    """Audit machines side by side and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site")
    parser.add_argument("machine", nargs="+")
    given = parser.parse_args()
    lynis = fetch_lynis()
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda machine: audit(given.site, machine, lynis), given.machine))
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
