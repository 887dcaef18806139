"""A page of a site's rollouts on loopback: waves, gates, failures; live by server-sent events, read-only."""

from __future__ import annotations

import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

from infra.errors import UserError
from infra.paths import ROOT
from infra.rollout import cordon, rollouts, standing

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
NAMES = frozenset({LOOPBACK, "localhost"})
"""Names in a request's Host header: another one is a page elsewhere that had its name point here."""

PAUSE_S = 1.0
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'self'; connect-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

FILES = ROOT / "templates" / "controller"


def snapshot(site: str) -> dict[str, Any]:
    """Return the content of the page now."""
    history = []
    for name in rollouts.ids(site)[-20:]:
        plan = rollouts.read(site, name)
        history.append({"id": name, "machines": len(plan.hosts), "state": rollouts.state_of(site, name)[0]})
    found: dict[str, Any] = {"site": site, "history": history[::-1], "out": cordon.read_cordoned(site)}
    try:
        return {**found, "rollout": standing.of(site).to_json(), "text": ""}
    except UserError as error:
        return {**found, "rollout": None, "text": str(error)}


class Page(BaseHTTPRequestHandler):
    """Answers GET of the page, its script, `/rollout.json` and `/events`, and changes nothing."""

    site: ClassVar[str]
    ended: ClassVar[threading.Event]

    def do_GET(self) -> None:
        """Answer one request."""
        if self.headers.get("Host", "").rsplit(":", 1)[0] not in NAMES:
            self._send(HTTPStatus.MISDIRECTED_REQUEST, "text/plain", "this page is on loopback only\n")
        elif self.path == "/":
            # In the page itself, so that it shows something at once; `</` would end the element it is in.
            now = json.dumps(snapshot(self.site)).replace("<", "\\u003c")
            self._send(HTTPStatus.OK, "text/html", (FILES / "rollout.html").read_text().replace("NOW", now))
        elif self.path == "/page.js":
            self._send(HTTPStatus.OK, "text/javascript", (FILES / "rollout.js").read_text())
        elif self.path == "/rollout.json":
            self._send(HTTPStatus.OK, "application/json", json.dumps(snapshot(self.site)))
        elif self.path == "/events":
            self._stream()
        else:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", "there is no such page\n")

    def _send(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode()
        self._head(status, kind, {"Content-Length": str(len(body))})
        self.wfile.write(body)

    def _head(self, status: HTTPStatus, kind: str, more: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": f"{kind}; charset=utf-8", **more}.items():
            self.send_header(name, value)
        self.end_headers()

    def _stream(self) -> None:
        """Send what the page shows whenever it is another, until the reader goes away."""
        self._head(HTTPStatus.OK, "text/event-stream", {"Connection": "close"})
        try:
            for text in self._changes():
                self.wfile.write(text.encode())
                self.wfile.flush()
        except OSError:
            return

    def _changes(self) -> Iterator[str]:
        last = ""
        while not self.ended.wait(PAUSE_S if last else 0):
            text = json.dumps(snapshot(self.site))
            # A comment keeps the connection alive, and finds out that its reader has gone.
            yield f"data: {text}\n\n" if text != last else ": \n\n"
            last = text

    def log_message(self, *_: object) -> None:
        """Keep quiet: a line for each request tells nobody anything."""


class Server(ThreadingHTTPServer):
    """The page's server on 127.0.0.1.

    Args:
        site: whose rollouts are shown.
        port: TCP port; 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """

    daemon_threads = True

    def __init__(self, site: str, port: int) -> None:
        self.ended = threading.Event()
        super().__init__((LOOPBACK, port), type("SitePage", (Page,), {"site": site, "ended": self.ended}))

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{LOOPBACK}:{self.server_port}/"

    def shutdown(self) -> None:
        """End the server and its streams."""
        self.ended.set()
        super().shutdown()
