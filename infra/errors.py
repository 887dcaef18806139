"""Errors that a user can cause: what, where, one hint; several of them at once where that helps."""

from __future__ import annotations

from dataclasses import dataclass


class UserError(Exception):
    """Something the user can put right; the command line prints it without a traceback and exits 1.

    Args:
        message: what is wrong, one sentence without a final full stop.
        where: the place, as `file:line: $.path` or a resource or machine name.
        hint: one thing to do about it.
        done: what had been done before, and how to resume, for long steps.

    Attributes:
        exit_code: of the command that ends by it.
    """

    exit_code = 1

    def __init__(
        self, message: str, *, where: str | None = None, hint: str | None = None, done: str | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.where, self.hint, self.done = message, where, hint, done

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        if self.hint:
            text += f", {self.hint}"
        return f"{text}\n{self.done}" if self.done else text


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a file: `file:line: $.path: message, hint`."""

    file: str
    line: int
    path: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.path}: {self.message}" + (
            f", {self.hint}" if self.hint else ""
        )


class Problems(UserError):  # noqa: N818 (it holds problems; "error" is in its base)
    """Every mistake found in a declaration, in file order."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(map(str, self.problems)))
