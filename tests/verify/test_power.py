"""Power: what the machine's BMC says by Redfish."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sushy
from ruamel.yaml import YAML
from sushy.auth import BasicAuth

from infra import paths

pytestmark = pytest.mark.proved_on("emulated")


@pytest.fixture(scope="session")
def systems(found):
    """What each BMC says of its system, or why it does not, by machine name; all are asked at once."""
    credentials = YAML(typ="safe").load(paths.state(found.site) / "credentials.yaml")
    authority = paths.state(found.site) / "ca.pem"

    def ask(machine):
        known = credentials.get(machine.bmc.credential)
        if known is None:
            return f"there is no credential {machine.bmc.credential}"
        try:
            return sushy.Sushy(
                machine.bmc.url,
                auth=BasicAuth(username=known["username"], password=known["password"]),
                verify=str(authority) if authority.exists() else True,
                connect_timeout=20,
                read_timeout=40,
            ).get_system()
        except sushy.exceptions.SushyError as error:
            return f"{machine.bmc.url}: {error}"

    with ThreadPoolExecutor(max_workers=32) as pool:
        return dict(zip((one.name for one in found.machines), pool.map(ask, found.machines), strict=True))


def test_power_is_on(machine, systems):
    """Its BMC knows it by its UUID and says that it is on."""
    system = systems[machine.name]
    assert not isinstance(system, str), system
    assert system.uuid.lower() == machine.uuid.lower()
    assert system.power_state is sushy.PowerState.ON
