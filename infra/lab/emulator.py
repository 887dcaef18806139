"""sushy-tools' Redfish emulator, with what real BMCs have and it lacks: serial, model, login by session."""

from __future__ import annotations

import re
import secrets
import sys
from typing import TYPE_CHECKING, Any

from sushy_tools import error  # type: ignore[import-untyped]
from sushy_tools.emulator import auth_basic  # type: ignore[import-untyped]
from sushy_tools.emulator import main as emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SERIAL, MODEL, SESSIONS = "GIGASITE_SERIAL", "GIGASITE_MODEL", "GIGASITE_SESSIONS"
"""Settings beside the emulator's own: what the machine has in its SMBIOS, which it does not pass on, and how
many sessions it has room for."""
_ROOT, _COLLECTION = "/redfish/v1", "/redfish/v1/SessionService/Sessions"
_SYSTEM = re.compile(r"/redfish/v1/Systems/[^/]+/?")
_open: dict[str, str] = {}
"""Token → id of each session; the oldest makes room for a new one."""


class _Login(emulator.RedfishAuthMiddleware):  # type: ignore[misc]
    """Takes a session's token as well as a password; a session is opened without either."""

    def __call__(self, env: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        opens = env.get("REQUEST_METHOD") == "POST" and env.get("PATH_INFO", "").rstrip("/") == _COLLECTION
        if opens or env.get("HTTP_X_AUTH_TOKEN") in _open:
            return self.app(env, start_response)  # type: ignore[no-any-return]
        return super().__call__(env, start_response)  # type: ignore[no-any-return]


emulator.RedfishAuthMiddleware = _Login


@emulator.app.route(_COLLECTION, methods=["POST"])  # type: ignore[untyped-decorator]
def _open_session() -> Any:
    """Check a password as for every other request, and hand out a token."""
    app, wanted = emulator.app, emulator.flask.request.get_json(force=True, silent=True)
    name, password = (
        (wanted.get(key) for key in ("UserName", "Password")) if isinstance(wanted, dict) else ("", "")
    )
    try:
        auth_basic.authenticate(app.config["SUSHY_EMULATOR_AUTH_FILE"], str(name), str(password).encode())
    except error.FishyError as refused:
        return {"error": {"code": "Base.1.0.NoValidSession", "message": str(refused)}}, refused.code
    while len(_open) >= app.config.get(SESSIONS, 16):
        del _open[next(iter(_open))]
    token, number = secrets.token_urlsafe(24), secrets.token_hex(8)
    _open[token] = number
    path = f"{_COLLECTION}/{number}"
    body = {"@odata.id": path, "Id": number, "Name": "Session", "UserName": name}
    return body, 201, {"X-Auth-Token": token, "Location": path}


@emulator.app.route(f"{_COLLECTION}/<number>", methods=["DELETE"])  # type: ignore[untyped-decorator]
def _close_session(number: str) -> Any:
    """Forget a session."""
    for token in [token for token, known in _open.items() if known == number]:
        del _open[token]
    return "", 204


@emulator.app.after_request  # type: ignore[untyped-decorator]
def _tell(response: Any) -> Any:
    """Add serial number and model to a ComputerSystem, and where sessions are opened to the root."""
    asked = emulator.flask.request
    if asked.method != "GET" or response.status_code != 200:
        return response
    settings, more = emulator.app.config, {}
    if _SYSTEM.fullmatch(asked.path):
        more = {"SerialNumber": settings.get(SERIAL), "Model": settings.get(MODEL)}
    elif asked.path.rstrip("/") == _ROOT:
        more = {"Links": {"Sessions": {"@odata.id": _COLLECTION}}}
    if more:
        response.set_data(emulator.app.json.dumps(response.get_json() | more))
    return response


if __name__ == "__main__":
    sys.exit(emulator.main())
