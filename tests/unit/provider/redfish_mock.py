"""A management controller as real trays have them: a host, a baseboard, sessions, slow power, and faults."""

from __future__ import annotations

import json
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.lab.identity import Identity

ROOT = "/redfish/v1"
SESSIONS = f"{ROOT}/SessionService/Sessions"
HOST, BOARD = "System_0", "HGX_Baseboard_0"


@dataclass
class Controller:
    """One controller and its machine; a field that is set is a fault or a habit of some make.

    Attributes:
        power: PowerState of the host.
        moves: seconds that a power change takes (PoweringOn and PoweringOff meanwhile).
        board_ready: seconds after the power-on from which the baseboard answers.
        allowed: reset types.
        swallow: how many resets are taken and lost.
        busy: (method, path prefix) → how many times 503 with Retry-After is answered.
        conflict: how many resets are answered 409.
        idle_word: answer to a reset that is so already: "NoOperation" as 400, or nothing special.
        raw: path → (status, body) given as it is.
        silent: paths after whose request nothing is sent.
        page: members of a collection's page.
        etag_in_body: ETag as @odata.etag only; it changes `etag_moves` times after it was read.
        drip: path that is answered a byte at a time.
    """

    uuid: str = "11111111-1111-4111-8111-111111111111"
    password: str = ""
    power: str = "Off"
    moves: float = 0.0
    board_ready: float = 0.0
    allowed: tuple[str, ...] = ("On", "ForceOff", "GracefulShutdown", "ForceRestart")
    swallow: int = 0
    busy: dict[tuple[str, str], int] = field(default_factory=dict)
    conflict: int = 0
    idle_word: str | None = None
    raw: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    drip: str | None = None
    page: int = 100
    etag: int = 1
    etag_moves: int = 0
    etag_in_body: bool = True
    weak: bool = False
    gpus: int = 4
    board: bool = True
    boot: dict[str, Any] = field(default_factory=lambda: {"BootSourceOverrideTarget": "None"})
    on_since: float = 0.0
    asked: list[tuple[str, str]] = field(default_factory=list)
    resets: list[str] = field(default_factory=list)
    basic: int = 0
    tokens: set[str] = field(default_factory=set)
    opened: int = 0
    port: int = 0
    _moving: tuple[str, float] | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def serve(self, identity: Identity, name: str) -> ThreadingHTTPServer:
        """Serve it on a free port with the machine's certificate; the caller shuts it down."""
        controller = self

        class Handler(_Handler):
            tray = controller

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.tls(name).certificate, identity.tls(name).key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        self.password = identity.credential(name).password
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def state(self) -> str:
        """PowerState now."""
        with self._lock:
            if self._moving and time.monotonic() >= self._moving[1]:
                self.power, self._moving = self._moving[0], None
                self.on_since = time.monotonic()
            if self._moving:
                return f"Powering{self._moving[0]}"
            return self.power

    def reset(self, kind: str) -> tuple[int, dict[str, Any]]:
        """Take a reset."""
        with self._lock:
            self.resets.append(kind)
            state, wanted = self.state(), "On" if kind in ("On", "ForceOn") else "Off"
            if kind not in self.allowed:
                return 400, _error("Base.1.8.ActionParameterNotSupported")
            if self.conflict or state.startswith("Powering"):
                self.conflict = max(0, self.conflict - 1)
                return 409, _error("Base.1.8.ResourceInUse")
            if state == wanted and self.idle_word:
                return 400, _error(f"Base.1.8.{self.idle_word}")
            if self.swallow:
                self.swallow -= 1
                return 204, {}
            self.move(wanted)
            return 204, {}

    def move(self, wanted: str) -> None:
        """Begin to change power."""
        with self._lock:
            self._moving = (wanted, time.monotonic() + self.moves)

    def is_busy(self, method: str, path: str) -> bool:
        """Whether this request is answered 503; counts it."""
        for (busy, prefix), count in self.busy.items():
            if count and method == busy and path.startswith(prefix):
                self.busy[busy, prefix] -= 1
                return True
        return False

    def document(self, path: str) -> tuple[int, dict[str, Any]]:
        """What stands at a path."""
        path, _, query = path.partition("?")
        systems = f"{ROOT}/Systems"
        boards = [BOARD] if self.board else []
        if path == ROOT:
            return 200, {"Id": "RootService", "Systems": {"@odata.id": systems},
                         "Links": {"Sessions": {"@odata.id": SESSIONS}}}  # fmt: skip
        if path == systems:
            return 200, self._page(path, [f"{path}/{name}" for name in [*boards, HOST]], query)
        if path == f"{systems}/{HOST}":
            return 200, self._host(path)
        if path.startswith(f"{systems}/{BOARD}") and self.board:
            return self._baseboard(path, f"{systems}/{BOARD}", query)
        return 404, _error("Base.1.8.ResourceMissingAtURI")

    def _baseboard(self, path: str, own: str, query: str) -> tuple[int, dict[str, Any]]:
        if self.state() != "On" or time.monotonic() - self.on_since < self.board_ready:
            return 503, _error("Base.1.8.ServiceTemporarilyUnavailable")
        listed = f"{own}/Processors"
        if path == own:
            return 200, {"@odata.id": path, "Id": BOARD, "UUID": None, "Processors": {"@odata.id": listed}}
        names = ["CPU_0", *(f"GPU_{n}" for n in range(self.gpus))]
        if path == listed:
            return 200, self._page(path, [f"{listed}/{name}" for name in names], query)
        name = path.rpartition("/")[2]
        return 200, {"Id": name, "ProcessorType": name.partition("_")[0]}

    def _host(self, path: str) -> dict[str, Any]:
        found = {
            "@odata.id": path, "Id": HOST, "UUID": self.uuid, "SerialNumber": "S-1", "Model": "tray",
            "PowerState": self.state(), "Boot": self.boot,
            "Actions": {"#ComputerSystem.Reset": {
                "target": f"{path}/Actions/ComputerSystem.Reset",
                "ResetType@Redfish.AllowableValues": list(self.allowed)}},
        }  # fmt: skip
        return found | ({"@odata.etag": self.tag()} if self.etag_in_body else {})

    def tag(self) -> str:
        """Its ETag as it is handed out."""
        return f'{"W/" if self.weak else ""}"{self.etag}"'

    def _page(self, path: str, members: list[str], query: str) -> dict[str, Any]:
        start = int(query.removeprefix("$skip=") or 0)
        page = members[start : start + self.page]
        more = start + self.page < len(members)
        return {
            "Members": [{"@odata.id": member} for member in page],
            "Members@odata.count": len(members),
            **({"Members@odata.nextLink": f"{path}?$skip={start + self.page}"} if more else {}),
        }


class _Handler(BaseHTTPRequestHandler):
    tray: Controller

    def log_message(self, *_: Any) -> None:
        pass

    def _take(self) -> None:
        tray, path = self.tray, self.path.rstrip("/")
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        tray.asked.append((self.command, path))
        if "Authorization" in self.headers:
            tray.basic += 1
        if path in tray.silent:
            time.sleep(60)
            return
        if tray.is_busy(self.command, path):
            self._answer(503, _error("Base.1.8.ServiceTemporarilyUnavailable"), {"Retry-After": "0.1"})
        elif path == SESSIONS and self.command == "POST":
            self._login(body)
        elif path != ROOT and self.headers.get("X-Auth-Token") not in tray.tokens:
            self._answer(401, _error("Base.1.8.NoValidSession"))
        elif path in tray.raw:
            self._send(*tray.raw[path], {})
        elif path.startswith(SESSIONS):
            tray.tokens.discard(path.rpartition("/")[2])
            self._answer(204, {})
        elif self.command == "POST":
            self._answer(*tray.reset(body["ResetType"]))
        elif self.command == "PATCH":
            self._patch(body)
        else:
            status, found = tray.document(path)
            self._answer(status, found, {} if tray.etag_in_body else {"ETag": tray.tag()})

    do_GET = do_POST = do_PATCH = do_DELETE = _take  # noqa: N815 (http.server's names)

    def _login(self, body: dict[str, Any]) -> None:
        tray = self.tray
        if body.get("Password") != tray.password:
            self._answer(401, _error("Base.1.8.NoValidSession"))
            return
        tray.opened += 1
        token = f"t{tray.opened}"
        tray.tokens.add(token)
        self._answer(201, {}, {"X-Auth-Token": token, "Location": f"{SESSIONS}/{token}"})

    def _patch(self, body: dict[str, Any]) -> None:
        tray, given = self.tray, self.headers.get("If-Match")
        if tray.etag_moves:
            tray.etag_moves -= 1
            tray.etag += 1
        if given is None:
            self._answer(428, _error("Base.1.8.PreconditionRequired"))
        elif given != f'"{tray.etag}"':  # matched strongly, also by controllers that hand out weak ones
            self._answer(412, _error("Base.1.8.PreconditionFailed"))
        else:
            tray.boot = {**tray.boot, **body["Boot"]}
            tray.etag += 1
            self._answer(204, {})

    def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(body).encode() if body else b"", headers or {})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path.rstrip("/") == self.tray.drip:
            for index in range(len(body)):
                self.wfile.write(body[index : index + 1])
                self.wfile.flush()
                time.sleep(0.2)
            return
        self.wfile.write(body)


def _error(message: str) -> dict[str, Any]:
    return {"error": {"code": message, "message": message, "@Message.ExtendedInfo": [{"MessageId": message}]}}
