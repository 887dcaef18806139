"""The few Redfish calls that the test driver makes against a stand-in's BMC emulator.

Machines in production are driven by the provider's client; this one stays apart from it on purpose, so that a
mistake there is not repeated by the tests that look for it.
"""

from __future__ import annotations

import base64
import json
import ssl
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any

from infra.lab.bmc import bmc_process
from infra.lab.identity import Credential, Identity

if TYPE_CHECKING:
    from pathlib import Path

_LIMIT_S = 300  # libvirt restores a machine's memory within the call


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer of a BMC: HTTP status and decoded body (empty if there is none)."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)


class NoAnswer(Exception):  # noqa: N818 (it says what happened)
    """The BMC could not be reached or did not speak HTTP."""


def request(  # noqa: PLR0917 (as HTTP has them)
    state_dir: Path,
    name: str,
    method: str,
    path: str,
    body: object = None,
    credential: Credential | None = None,
) -> Answer:
    """One request to a machine's BMC, trusting the site's CA only.

    Args:
        state_dir: the site's local state.
        name: the machine's name.
        method: HTTP method.
        path: absolute path of the resource.
        body: sent as JSON if given.
        credential: instead of the machine's own, to try a wrong one.

    Raises:
        NoAnswer: nothing answered.
    """
    identity = Identity(state_dir)
    process = bmc_process(state_dir, name)
    if process is None:
        raise NoAnswer(f"the BMC emulator of {name} does not run")
    who = credential or identity.credential(name)
    token = base64.b64encode(f"{who.username}:{who.password}".encode()).decode()
    headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
    context = ssl.create_default_context(cafile=str(identity.ca))
    connection = HTTPSConnection("127.0.0.1", process.port, timeout=_LIMIT_S, context=context)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read()
        return Answer(response.status, json.loads(text) if text else {})
    except (OSError, HTTPException, ValueError) as error:
        raise NoAnswer(f"the BMC of {name} did not answer: {error}") from error
    finally:
        connection.close()


def system_path(state_dir: Path, name: str) -> str:
    """The path of the one system that a BMC shows.

    Raises:
        NoAnswer: it shows none, or does not let us in.
    """
    answer = request(state_dir, name, "GET", "/redfish/v1/Systems")
    if answer.status != 200 or not answer.body.get("Members"):
        raise NoAnswer(f"the BMC of {name} shows no system (HTTP {answer.status})")
    return str(answer.body["Members"][0]["@odata.id"])
