"""`gigasite accept`: what a site's last verification proves of what buyers of an AI cloud ask."""

from __future__ import annotations

import json

from infra.cli.arguments import Json, Site


def command(site: Site, as_json: Json = False) -> None:
    """What the site's last verification proves, by the ids of NVIDIA's AI Cloud Validation suite.

    No row says more than a check of the last verification showed.
    """
    from infra.report import acceptance  # noqa: PLC0415 (pydantic is slow to import)

    rows = acceptance.rows_of(site)
    proved = sum(row.proved for row in rows)
    if as_json:
        print(json.dumps({"site": site, "proved": proved, "rows": [row.model_dump() for row in rows]}))
        return
    for row in rows:
        print(f"{row.id:12} {row.want:14} {row.level or '-':9} {row.asked} | {row.evidence}")
    print(f"{proved} of {len(rows)} proved at the level that is wanted")
