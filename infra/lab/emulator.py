"""sushy-tools' Redfish emulator, which also tells the machine's serial number and model, as real BMCs do."""

from __future__ import annotations

import re
import sys
from typing import Any

from sushy_tools.emulator import main as emulator  # type: ignore[import-untyped]

SERIAL, MODEL = "GIGASITE_SERIAL", "GIGASITE_MODEL"
"""Settings beside the emulator's own: what the machine has in its SMBIOS, which it does not pass on."""
_SYSTEM = re.compile(r"/redfish/v1/Systems/[^/]+/?")


@emulator.app.after_request  # type: ignore[untyped-decorator]
def _tell(response: Any) -> Any:
    """Add serial number and model to a ComputerSystem."""
    asked = emulator.flask.request
    if asked.method == "GET" and response.status_code == 200 and _SYSTEM.fullmatch(asked.path):
        settings = emulator.app.config
        body = response.get_json()
        body |= {"SerialNumber": settings.get(SERIAL), "Model": settings.get(MODEL)}
        response.set_data(emulator.app.json.dumps(body))
    return response


if __name__ == "__main__":
    sys.exit(emulator.main())
