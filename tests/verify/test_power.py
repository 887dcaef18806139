"""Power: what the machine's BMC says by Redfish."""

from __future__ import annotations

import pytest
import sushy
from ruamel.yaml import YAML
from sushy.auth import BasicAuth

from infra import paths

pytestmark = pytest.mark.proved_on("emulated")


@pytest.fixture(scope="session")
def credentials(found):
    """User names and passwords of the site's BMCs."""
    return YAML(typ="safe").load(paths.state(found.site) / "credentials.yaml")


def test_power_is_on(machine, found, credentials):
    """Its BMC knows it by its UUID and says that it is on."""
    known = credentials[machine.bmc.credential]
    root = sushy.Sushy(
        machine.bmc.url,
        auth=BasicAuth(username=known["username"], password=known["password"]),
        verify=str(paths.state(found.site) / "ca.pem"),
        connect_timeout=20,
        read_timeout=40,
    )
    system = root.get_system()
    assert system.uuid.lower() == machine.uuid.lower()
    assert system.power_state is sushy.PowerState.ON
