"""Export and import of a stack's deployment, in the CLI's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.engine.backend.checkpoint import VERSIONS, format_of
from infra.engine.backend.secrets import crypter_for
from infra.engine.resource import integrity, json_text, values
from infra.errors import UserError
from infra.stacks import operations

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.engine.resource.stack_ref import StackRef


def export_deployment(ref: StackRef, *, show_secrets: bool = False) -> dict[str, Any]:
    """The deployment of a stack; secrets as they are stored, or in the clear.

    Raises:
        EngineError: no such stack, or the passphrase is wrong.
    """
    deployment = operations.backend().read(ref).deployment
    if show_secrets:
        with operations.environment(operations.site_of(ref.stack)):
            crypter = crypter_for(deployment.get("secrets_providers"), operations.settings_salt(ref))
            deployment = _open_secrets(deployment, crypter)
    return format_of(deployment) | {"deployment": deployment}


def _open_secrets(value: Any, crypter: values.Crypter) -> Any:
    """The same with each secret's ciphertext replaced by its plaintext."""
    return _each_secret(value, "ciphertext", "plaintext", crypter.decrypt)


def _seal_secrets(value: Any, crypter: values.Crypter) -> Any:
    """The reverse."""
    return _each_secret(value, "plaintext", "ciphertext", crypter.encrypt)


def _each_secret(value: Any, held: str, wanted: str, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        if value.get(values.SIGNATURE) == values.SECRET and held in value:
            return {values.SIGNATURE: values.SECRET, wanted: change(value[held])}
        return {key: _each_secret(item, held, wanted, change) for key, item in value.items()}
    return [_each_secret(item, held, wanted, change) for item in value] if isinstance(value, list) else value


def import_deployment(ref: StackRef, text: str, *, force: bool = False) -> int:
    """Put a deployment into a stack.

    Args:
        ref: the stack.
        text: what `exported` gave, as JSON.
        force: take one of another stack, too.

    Returns:
        how many resources it has.

    Raises:
        UserError: it is no deployment, or one of another stack.
        IntegrityError: it contradicts itself.
    """
    try:
        whole = json_text.parse(text)
        version, deployment = whole["version"], whole["deployment"]
        resources = deployment.get("resources") or []
        foreign = [one["urn"] for one in resources if not one["urn"].startswith(f"urn:pulumi:{ref.stack}::")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"this is no exported deployment ({error})") from error
    if version not in VERSIONS:
        raise UserError(f"this deployment is of version {version}; this engine knows {VERSIONS[-1]}")
    if foreign and not force:
        raise UserError(
            f"{foreign[0]} is of another stack than {ref.stack}", hint="use --force if you mean it"
        )
    integrity.check(resources, "the deployment")
    state = operations.backend()
    with state.locked(ref), operations.environment(operations.site_of(ref.stack)):
        crypter = crypter_for(deployment.get("secrets_providers"), operations.settings_salt(ref))
        deployment = _seal_secrets(deployment, crypter)
        if not crypter.is_new:
            deployment |= {"secrets_providers": crypter.state}
        state.write(ref, deployment)
        state.files(ref).journal.unlink(missing_ok=True)
    return len(resources)
