"""The tables of a plan's scope, as each of them sees the others: a protocol below the plan itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    import polars as pl

    from infra.plan.tables.geometry import Geometry
    from infra.plan.tables.switching import TierFrame
    from infra.spec.site import Site


class PodTemplate(Protocol):
    """Tables of one pod from which those of its equals are made."""

    def table(self, plan: Tables, name: str) -> pl.DataFrame:
        """Return a named table of another pod."""

    def links(self, plan: Tables) -> pl.DataFrame:
        """Return the cables of another pod."""


class Tables(Protocol):
    """Frames by index and named tables of some pods; see `infra.plan.plan.Plan` for their columns."""

    site: Site
    scope: range
    site_level: bool
    phase: str | None
    geometry: Geometry

    @property
    def pods(self) -> tuple[str, ...]: ...  # noqa: D102 (see Plan, as for all below)
    @property
    def rack_frame(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def node_frame(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def companion_frame(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def management_frame(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def server_frame(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def cabinet_frame(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def servers_in_scope(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def managed_frame(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def host_frame(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def tier_frames(self) -> list[TierFrame]: ...  # noqa: D102
    @property
    def template(self) -> PodTemplate | None: ...  # noqa: D102
    @property
    def places(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def racks(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def nodes(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def companions(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def nics(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def switches(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def links(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def ports(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def addresses(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def power(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def cooling(self) -> pl.DataFrame: ...  # noqa: D102

    def pod(self, name: str) -> Self:
        """Return one pod's slice."""

    def alike(self) -> Self:
        """Return other tables of the same scope."""

    def own_level(self) -> Self:
        """Return what belongs to no pod."""

    def whole(self) -> Self:
        """Return all pods of the declaration."""

    def crossing(self) -> pl.DataFrame:
        """Return the cables from the scope's pods to the switches above them."""
