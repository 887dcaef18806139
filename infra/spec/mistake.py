"""One mistake of a declaration that its types cannot see."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from infra.spec.document import Loc


class Mistake(NamedTuple):
    """One mistake.

    Attributes:
        loc: where.
        message: what is wrong.
        hint: what to do.
        depends: places that it also follows from; when one of them is wrong itself, this is not told.
    """

    loc: Loc
    message: str
    hint: str | None
    depends: tuple[Loc, ...] = ()
