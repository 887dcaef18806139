"""Refresh of the checkpoint while an operation runs, for who goes on after a crash without the journal.

The CLI knows no journal: after a kill it goes on from the checkpoint alone, and makes again what is not in
it. So a thread reads the journal as it grows, and now and then puts what `cancel` would make of it into place
as the checkpoint. It shares nothing with the loop but that file, so each checkpoint is the state after a
whole number of records: references resolve, what is under way is pending, a salt comes before what is under
it. The journal stays complete: `replay` starts from the checkpoint before the operation, now the backup.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final, Self

from infra.engine.backend import files
from infra.engine.backend.checkpoint import encode_checkpoint
from infra.engine.backend.journal import REFRESHED, decode
from infra.engine.backend.replay import Replay, settle
from infra.engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.engine.backend.journal import Journal
    from infra.engine.backend.stack_files import StackFiles

AT_LEAST: Final = 2.0
"""Seconds between two: what a crash may cost beside the next line."""
SHARE: Final = 20
"""The next comes not before so many times what the last one took: refreshing takes at most 1/20 of a run."""


class CheckpointRefresher:
    """Refreshes a stack's checkpoint inside a `with`.

    Args:
        stack: its files.
        journal: of the operation.
        base: the deployment that the operation starts from.

    Attributes:
        failure: why the last refresh failed, if it did; the operation goes on, since the journal has all.
    """

    def __init__(self, stack: StackFiles, journal: Journal, base: Mapping[str, Any]) -> None:
        self._stack, self._journal = stack, journal
        self._replay, self._read, self._has_news = Replay.of(base), 0, False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="checkpoint-refresher", daemon=True)
        self.failure: EngineError | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        pause = AT_LEAST
        while not self._ended.wait(pause):
            began = time.monotonic()
            try:
                self.refresh()
                self.failure = None
            except EngineError as error:
                self.failure = error
            pause = max(AT_LEAST, SHARE * (time.monotonic() - began))

    def refresh(self) -> None:
        """Write the checkpoint now, if there is news.

        Raises:
            EngineError: it cannot be written; the one in place is whole.
        """
        self._has_news |= self._take_records()
        if not self._has_news:
            return
        deployment = settle(self._replay.deployment(), self._replay.begun.values())
        content = encode_checkpoint(self._stack.ref, deployment)
        if not self._ended.is_set():
            self._journal.refreshed(content, self._replay.count)
            self._stack.put(content, keep_backup=self._journal.is_refreshed)
            self._journal.is_refreshed = True
            self._has_news = False

    def _take_records(self) -> bool:
        """Apply what the journal has more than the last time; whether that is news."""
        try:
            with self._journal.path.open("rb") as file:
                file.seek(self._read)
                content = file.read()
        except OSError as error:
            raise files.file_error("read the journal", self._journal.path, error) from error
        records, cut_off = decode(content)
        header = not self._read
        self._read += len(content) - cut_off
        for record in records[header:]:
            self._replay.apply(record)
        return any(record["kind"] != REFRESHED for record in records[header:])
