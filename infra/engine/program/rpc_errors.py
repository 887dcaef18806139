"""Calls of a program that are answered with an error."""

from __future__ import annotations

import grpc


class Refused(Exception):  # noqa: N818 (an answer, not a bug)
    """A call is answered with an error."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def shut_down() -> Refused:
    """The answer to what is asked when the run has ended."""
    return Refused(grpc.StatusCode.UNAVAILABLE, "resource monitor shut down")


def check_token(type_: str) -> None:
    """Validate a type token.

    Raises:
        Refused: it is not.
    """
    parts = type_.split(":")
    if len(parts) != 3 or not parts[0] or not parts[2]:
        text = f"Type '{type_}' is not a valid type token (must have format '*:*:*')"
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, text)
