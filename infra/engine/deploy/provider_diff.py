"""Asking a provider what differs, or finding out where it does not say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from infra.engine.plugin.diff import Changes, Diff, ignoring, of_inputs
from infra.engine.plugin.provider import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.engine.deploy.context import StepContext
    from infra.engine.plugin.provider import Provider
    from infra.engine.resource.state import ResourceState
    from infra.engine.resource.values import Properties


async def diff_inputs(  # noqa: PLR0917 (whom, about what, against what)
    provider: Provider,
    urn_state: ResourceState,
    old: ResourceState,
    news: Properties,
    deployment: StepContext,
    ignore: Sequence[str],
    *,
    unknowns: bool | None = None,
) -> Diff:
    """Ask the provider what differs; where it does not say, compare the inputs.

    Args:
        provider: whom.
        urn_state: the state under whose URN it is asked.
        old: the state that is there.
        news: the wanted inputs.
        deployment: whose preview mode counts.
        ignore: ignoreChanges.
        unknowns: whether values may be unknown; by default in previews.
    """
    request = Request(
        urn_state.urn,
        id=old.id,
        inputs=news,
        old_inputs=old.inputs,
        old_outputs=old.outputs,
        ignore=ignore,
        preview=deployment.preview if unknowns is None else unknowns,
    )
    diff = await provider.diff(request)
    if diff.changes is not Changes.UNKNOWN:
        return diff
    kept, _ = ignoring(list(ignore), old.inputs, news)
    ours = of_inputs(old.inputs, kept)
    if ours.changes is Changes.NONE:
        return replace(diff, changes=Changes.NONE)
    return replace(diff, changes=Changes.SOME, changed_keys=ours.changed_keys, detailed=ours.detailed)
