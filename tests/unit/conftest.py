"""What all unit tests share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A busy machine is no fault of a test: nothing here is judged by the time that it takes.
settings.register_profile("gigasite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gigasite")
