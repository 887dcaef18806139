"""Who starts libvirt's daemon."""

from __future__ import annotations

import pytest

from infra import paths
from infra.errors import UserError
from infra.lab import prerequisites, session

pytestmark = pytest.mark.unit


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Programs that were started, as an ordinary user whose libvirt answers once its daemon runs."""
    words = []

    def opened(_uri):
        if not words:
            raise session.libvirt.libvirtError("no daemon")
        return "a connection"

    monkeypatch.setattr(session, "is_privileged", lambda: False)
    monkeypatch.setattr(session, "run", lambda command, **_: words.append(list(map(str, command))))
    monkeypatch.setattr(session.libvirt, "open", opened)
    monkeypatch.setattr(session._local, "connection", None, raising=False)
    monkeypatch.setattr(paths, "cache", lambda: tmp_path)
    return words


def test_an_ordinary_user_s_daemon_is_started_once_and_not_by_libvirt(started, monkeypatch):
    monkeypatch.setattr(prerequisites, "program", lambda name: f"/usr/sbin/{name}")
    assert session.connect() == "a connection"
    assert started == [["/usr/sbin/libvirtd", "--daemon", "--timeout", "120"]]
    assert session.os.environ["LIBVIRT_AUTOSTART"] == "0"


def test_without_a_daemon_to_start_libvirt_s_own_words_are_told(started, monkeypatch):
    monkeypatch.setattr(prerequisites, "program", lambda _name: None)
    with pytest.raises(UserError, match="libvirt does not answer"):
        session.connect()
    assert not started
