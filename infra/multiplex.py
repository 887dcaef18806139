"""Commands over connections that ssh already shares, asked of its master process without an ssh for each.

Starting `ssh` is most of what a short command costs the controller: its libraries, its configuration, and a
process each. The master that ControlPersist leaves behind takes sessions over a socket (PROTOCOL.mux of
OpenSSH, version 4, the same since 5.4); `ssh` itself does no more than this with a shared connection.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
from array import array
from typing import TYPE_CHECKING, BinaryIO

from infra.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 4
HELLO, NEW_SESSION, OPENED, EXITED = 0x1, 0x10000002, 0x80000006, 0x80000004
NO_ESCAPE = 0xFFFFFFFF
LOST = 255
"""The exit code of ssh itself for a connection that ended before the command did."""


def run_shared(
    path: Path, command: str, stdin: str, timeout: float
) -> subprocess.CompletedProcess[str] | None:
    """Run a command over a shared connection; None if there is none, or its master takes no more sessions.

    Args:
        path: the master's socket.
        command: for the shell of the other side.
        stdin: text for its standard input.
        timeout: seconds for each answer of the master, so for all of the command.

    Raises:
        UserError: it ran over its time.
    """
    # In memory, and as large as they need be: a pipe would have to be filled and emptied meanwhile.
    given, out, err = (os.memfd_create(name) for name in ("stdin", "stdout", "stderr"))
    try:
        with os.fdopen(os.dup(given), "wb") as file:
            file.write(stdin.encode())
        os.lseek(given, 0, os.SEEK_SET)
        with socket.socket(socket.AF_UNIX) as master, master.makefile("rb") as answers:
            master.settimeout(timeout)
            try:
                master.connect(str(path))
                if not _begin(master, answers, command, (given, out, err)):
                    return None
            except (EOFError, OSError) as error:
                if isinstance(error, TimeoutError):
                    raise
                return None
            status = _end(answers)
        return subprocess.CompletedProcess(command, status, _text(out), _text(err))
    except TimeoutError as error:
        raise UserError(f"`{command[:80]}` took more than {timeout:.0f} s") from error
    finally:
        for each in (given, out, err):
            os.close(each)


def _begin(master: socket.socket, answers: BinaryIO, command: str, files: tuple[int, int, int]) -> bool:
    """Begin a session whose input and outputs are these files; False if the master takes none."""
    master.sendall(_packed(struct.pack(">II", HELLO, VERSION)))
    if _receive(answers)[:8] != struct.pack(">II", HELLO, VERSION):
        return False
    # request 0; reserved; no terminal, X11, agent or subsystem; no escape; no kind of terminal; the command
    words = (struct.pack(">5I", 0, 0, 0, 0, NO_ESCAPE), _packed(b""), _packed(command.encode()))
    master.sendall(_packed(struct.pack(">II", NEW_SESSION, 0) + _packed(b"") + b"".join(words)))
    for file in files:
        master.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [file]))])
    (answer,) = struct.unpack_from(">I", _receive(answers))
    return bool(answer == OPENED)


def _end(answers: BinaryIO) -> int:
    """Wait until the master has written all output and hung up; the command's exit code."""
    status = LOST
    try:
        while True:
            packet = _receive(answers)
            if struct.unpack_from(">I", packet)[0] == EXITED:
                (status,) = struct.unpack_from(">I", packet, 8)
    except (EOFError, ConnectionError):
        return status


def _packed(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _receive(answers: BinaryIO) -> bytes:
    head = answers.read(4)
    content = answers.read(struct.unpack(">I", head)[0]) if len(head) == 4 else b""
    if len(content) < 4:
        raise EOFError
    return content


def _text(file: int) -> str:
    os.lseek(file, 0, os.SEEK_SET)
    with os.fdopen(os.dup(file), "rb") as reader:
        return reader.read().decode(errors="replace")
