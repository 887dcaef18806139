"""Whole files and locks between processes."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from infra.files import hold_lock, try_lock, write_whole

pytestmark = pytest.mark.unit

HOLDER = """
import sys, pathlib
from infra.files import try_lock
with try_lock(pathlib.Path(sys.argv[1]), "held by me") as held:
    print(held, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path / "lock"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "True\n"
    yield process
    process.kill()
    process.communicate()


def test_a_lock_of_another_process_is_seen_with_its_note_and_ends_with_it(tmp_path, holder):
    path = tmp_path / "lock"
    with try_lock(path, "mine") as held:
        assert not held
    assert path.read_text() == "held by me"
    holder.kill()
    holder.wait()
    with try_lock(path, "mine") as held:
        assert held
    assert path.read_text() == "mine"


def test_a_lock_is_waited_for(tmp_path, holder):
    waited = []

    def end():
        waited.append(True)
        threading.Timer(0.1, holder.kill).start()

    with hold_lock(tmp_path / "lock", on_wait=end), try_lock(tmp_path / "lock") as again:
        assert waited == [True]
        assert not again


def test_threads_take_turns(tmp_path):
    counts = {"in": 0, "most": 0}

    def work():
        for _ in range(20):
            with hold_lock(tmp_path / "lock"):
                counts["in"] += 1
                counts["most"] = max(counts["most"], counts["in"])
                counts["in"] -= 1

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == {"in": 0, "most": 1}


def test_a_file_is_whole_with_its_mode_and_leaves_no_draft(tmp_path, monkeypatch):
    path = tmp_path / "a" / "b" / "file"
    write_whole(path, "one", mode=0o640)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("one", 0o640)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr("os.fchmod", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_whole(path, "two")
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]
