"""Power: what the machine's BMC says by Redfish."""

from __future__ import annotations

import asyncio

import pytest

from infra.errors import UserError
from infra.provider.drivers import Facts, Power, Target
from infra.provider.drivers.redfish import Redfish
from infra.provider.settings import Settings

pytestmark = pytest.mark.proved_on("emulated")


@pytest.fixture(scope="session")
def facts(found):
    """What each BMC says of its machine, or why it does not, by machine name; all are asked at once."""
    driver = Redfish(Settings(site=found.site))

    async def ask():
        targets = (
            Target(
                one.name, one.bmc.address, one.bmc.port, one.bmc.credential,
                system=one.bmc.system, accelerators_at=one.bmc.accelerators_at,
            )
            for one in found.machines
        )  # fmt: skip
        return await asyncio.gather(*map(driver.inspect, targets), return_exceptions=True)

    return dict(zip((one.name for one in found.machines), asyncio.run(ask()), strict=True))


def test_power_is_on(machine, facts):
    """Its BMC knows it by its UUID and says that it is on."""
    seen = facts[machine.name]
    assert not isinstance(seen, UserError), str(seen)
    assert isinstance(seen, Facts), seen
    if machine.stand_in is not None:  # hardware has its maker's UUID
        assert seen.uuid == machine.uuid.lower()
    assert seen.power_state is Power.ON
