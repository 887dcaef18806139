"""One conversation with a Redfish controller: sushy's client within a time limit, with a session of its own.

sushy speaks Redfish; what it leaves open is mended here: a limit on the whole conversation instead of on
each request, 503 for every method, answers that are no Redfish, ETags in the body or changed meanwhile,
collections in pages, and that no token leaves for another host.
"""

from __future__ import annotations

import io
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import sushy
from requests.structures import CaseInsensitiveDict
from sushy import auth, exceptions
from sushy.connector import Connector

from infra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from infra.provider.drivers.credentials import Credential

REQUEST_S = 30.0  # sushy-tools under load, and real controllers while they start, answer slowly
PAUSE_S = 1.0
_CLOSE_S = 5.0  # for giving the session back; controllers have room for few (16 is common)
_BODY = 16 << 20  # bytes; the largest documents of real controllers (log pages) are a few MiB
_PATCHES = 5  # tries of one PATCH whose ETag changes meanwhile
_AGAIN = {408, 429, 502, 503, 504}
"""HTTP statuses that say "later"; what was asked was not done."""


class Malformed(exceptions.SushyError):
    """An answer that is no Redfish: HTML, cut JSON, a wrong shape."""

    message = "%(path)s: %(what)s"

    def __init__(self, path: str, what: str) -> None:
        super().__init__(path=path, what=what)  # type: ignore[no-untyped-call]


class TimeUp(exceptions.SushyError):
    """The conversation's limit is over; says what came last."""

    message = "%(what)s"

    def __init__(self, what: str) -> None:
        super().__init__(what=what)  # type: ignore[no-untyped-call]


class Deadline:
    """The end of a conversation, which a later step may set anew.

    Args:
        limit: seconds from now.
        pause: waits for some seconds; raises when a person interrupts.
    """

    def __init__(self, limit: float, pause: Callable[[float], None]) -> None:
        self._pause = pause
        self.restart(limit)

    def restart(self, limit: float) -> None:
        """Count from now."""
        self.limit, self._end = limit, time.monotonic() + limit

    @property
    def left(self) -> float:
        """Seconds left, 0 if none."""
        return max(0.0, self._end - time.monotonic())

    def wait(self, seconds: float) -> None:
        """Pause, at most until the end."""
        self._pause(min(seconds, self.left))


class _Session(requests.Session):
    """Requests that end with the deadline even if the answer drips, and never follow to another host."""

    def __init__(self, base: str, deadline: Deadline) -> None:
        super().__init__()
        self._origin, self._deadline = urlsplit(base)[:2], deadline

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        response = super().send(request, **{**kwargs, "stream": True})
        body = bytearray()
        while chunk := response.raw.read1(1 << 16, decode_content=True):
            body += chunk
            if len(body) > _BODY:
                response.close()
                raise Malformed(urlsplit(request.url or "").path, f"the answer exceeds {_BODY >> 20} MiB")
            if not self._deadline.left:
                response.close()
                raise requests.ReadTimeout("the answer did not end", request=request)
        response.close()
        response.raw = io.BytesIO(body)
        return response

    def get_redirect_target(self, response: requests.Response) -> str | None:
        target = super().get_redirect_target(response)
        if target is not None and urlsplit(target).netloc and urlsplit(target)[:2] != self._origin:
            raise Malformed(urlsplit(response.url).path, f"it redirects to another host ({target})")
        return target


class Client(Connector):
    """sushy's connector, bounded by a deadline.

    Args:
        url: base URL of the service.
        ca: the CA to trust; None for the system's.
        deadline: the conversation's.
    """

    def __init__(self, url: str, ca: Path | None, deadline: Deadline) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            url,
            verify=str(ca) if ca else True,
            server_side_retries=1,
            response_callback=self._note,
            connect_timeout=None,
        )
        self.deadline = deadline
        self.patient = True
        """Whether "later" and silence are waited out; if not, the first such answer is an error."""
        headers = self._session.headers
        self._session.close()
        self._session = _Session(url, deadline)
        self._session.headers = headers
        self._status, self._headers = 0, CaseInsensitiveDict[str]()

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Take the first answer within, whatever it is."""
        self.patient = False
        try:
            yield
        finally:
            self.patient = True

    def _note(self, response: requests.Response) -> None:
        self._status, self._headers = response.status_code, response.headers

    def _op(self, method: str, path: str = "", **kwargs: Any) -> requests.Response:  # type: ignore[override]
        parts = urlsplit(path)
        if parts.netloc and parts[:2] != urlsplit(self._url)[:2]:
            raise Malformed(parts.path, f"it points to another host ({parts.netloc})")
        kwargs |= {"server_side_retries_left": 0}
        said = ""
        while True:
            if not self.deadline.left:
                raise TimeUp(said or "did not answer")
            try:
                response: requests.Response = super()._op(  # type: ignore[no-untyped-call]
                    method, path, **{**kwargs, "timeout": min(REQUEST_S, self.deadline.left)}
                )
            except exceptions.ConnectionError as error:
                # Whether a change arrived is not known: whoever asked for it looks before asking again.
                if method != "GET" or not self.patient or not is_transient(error):
                    raise
                said, pause = "did not answer", PAUSE_S
            except exceptions.HTTPError as error:
                if not self.patient or not is_transient(error):
                    raise
                said = f"answered {error.status_code} to {method} {parts.path}"
                pause = _retry_after(self._headers)
            else:
                if method == "GET":
                    _document(parts.path, response)
                return response
            self.deadline.wait(pause)

    def patch(  # type: ignore[override]
        self, path: str = "", data: Any = None, **kwargs: Any
    ) -> requests.Response:
        """Change a resource as it is now: with its ETag, read anew if it changed meanwhile."""
        kwargs.pop("etag", None)
        weak = False
        for attempt in range(_PATCHES):
            found = self._op("GET", path)
            etag = found.headers.get("ETag") or found.json().get("@odata.etag")
            # Some controllers hand out weak ETags and match strong ones only.
            form = etag.removeprefix("W/") if weak and etag else etag
            headers = {**(kwargs.get("headers") or {}), **({"If-Match": form} if form else {})}
            try:
                return self._op("PATCH", path, data=data, **{**kwargs, "headers": headers})
            except exceptions.HTTPError as error:
                if error.status_code != 412 or attempt + 1 == _PATCHES:
                    raise
                weak = not weak
        raise AssertionError("unreachable")

    def document(self, path: str) -> dict[str, Any]:
        """The JSON object at a path."""
        return _document(path, self._op("GET", path))

    def members(self, path: str) -> Iterator[str]:
        """Paths of a collection's members, page by page, in its order."""
        seen: set[str] = set()
        while path and path not in seen:
            seen.add(path)
            page = self.document(path)
            entries = page.get("Members", [])
            if not isinstance(entries, list):
                raise Malformed(path, f"its Members are a {type(entries).__name__}, not a list")
            for entry in entries:
                found = entry.get("@odata.id") if isinstance(entry, dict) else None
                if not isinstance(found, str):
                    raise Malformed(path, "a member has no @odata.id")
                yield found
            path = page.get("Members@odata.nextLink") or ""


def is_transient(error: Exception) -> bool:
    """Whether an error says "later": the controller is silent, or answers that it is busy."""
    if isinstance(error, exceptions.HTTPError):
        return error.status_code in _AGAIN
    return isinstance(error, exceptions.ConnectionError) and "CERTIFICATE" not in str(error).upper()


def _document(path: str, response: requests.Response) -> dict[str, Any]:
    if not response.content:
        raise Malformed(path, "the answer is empty")
    if response.content.lstrip()[:1] == b"<":
        raise Malformed(path, "the answer is HTML or XML, not JSON")
    try:
        found = response.json()
    except (ValueError, RecursionError) as error:
        raise Malformed(path, "the answer is no whole JSON") from error
    if not isinstance(found, dict):
        raise Malformed(path, "the answer is no JSON object")
    return found


def _retry_after(headers: Any) -> float:
    """Seconds that the controller asks to wait; dates, and what is no number, count as one pause."""
    try:
        return max(0.05, float(headers.get("Retry-After", PAUSE_S)))
    except ValueError:
        return PAUSE_S


@contextmanager
def conversation(
    url: str, credential: Credential, ca: Path | None, deadline: Deadline
) -> Iterator[tuple[Any, Client]]:
    """Open a session and give it back at the end: (sushy's service root, its client).

    Raises:
        sushy.exceptions.SushyError: no answer in time, credential refused, or no Redfish.
    """
    client = Client(url, ca, deadline)
    ours = auth.SessionAuth(credential.username, credential.password)  # type: ignore[no-untyped-call]
    try:
        while True:
            try:
                service = sushy.Sushy(url, auth=ours, connector=client)  # type: ignore[no-untyped-call]
                break
            except exceptions.ConnectionError as error:
                # It went silent within the login, which is repeated as a whole.
                if not is_transient(error):
                    raise
                deadline.wait(PAUSE_S)
                if not deadline.left:
                    raise TimeUp("did not answer") from error
        yield service, client
    finally:
        deadline.restart(_CLOSE_S)
        with (
            suppress(exceptions.SushyError, UserError, ValueError, AttributeError, TypeError),
            client.impatient(),
        ):
            if ours.get_session_key() is not None:  # type: ignore[no-untyped-call]
                ours.close()  # type: ignore[no-untyped-call]
        client.close()  # type: ignore[no-untyped-call]
