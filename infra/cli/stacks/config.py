"""`gigasite config`: a stack's settings file, Pulumi.STACK.yaml."""

from __future__ import annotations

import getpass
import json
import shutil
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.arguments import Json
from infra.cli.stacks import options as flags
from infra.engine.backend.secrets import PassphraseCrypter
from infra.engine.resource import property_path
from infra.engine.workspace import config_paths
from infra.engine.workspace.config import ConfigValue, parse_key, text_of
from infra.errors import UserError
from infra.stacks import operations, workspace

if TYPE_CHECKING:
    from infra.engine.workspace.stack_settings import StackSettings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A stack's configuration.")

Key = Annotated[str, typer.Argument(metavar="KEY", help="NAME or NAMESPACE:NAME.")]
AsPath = Annotated[bool, typer.Option("--path", help="The key is a path into an object: `a.b[0]`.")]


def _settings(stack: str) -> StackSettings:
    return workspace.current().settings(operations.reference(stack).stack)


def _crypter(stack: str, settings: StackSettings) -> PassphraseCrypter:
    """The stack's crypter; its salt is that of the state, so that one passphrase opens both."""
    salt = settings.encryption_salt
    state, ref = operations.backend(), operations.reference(stack)
    if not salt and state.exists(ref):
        provider = state.read(ref).deployment.get("secrets_providers") or {}
        salt = (provider.get("state") or {}).get("salt", "")
    return PassphraseCrypter(salt)


def _place(key: str, *, as_path: bool) -> tuple[str, property_path.Path]:
    """The key of the whole value, and the way into it."""
    if not as_path:
        return parse_key(key, operations.project_name()), ()
    namespace, colon, name = key.rpartition(":")
    try:
        first, *rest = property_path.parse(name)
    except ValueError as error:
        raise UserError(str(error)) from error
    return parse_key(f"{namespace}{colon}{first}", operations.project_name()), tuple(rest)


@app.command()
def get(stack: flags.Stack, key: Key, path: AsPath = False, as_json: Json = False) -> None:
    """Show one value; a secret is opened."""
    settings = _settings(stack)
    name, rest = _place(key, as_path=path)
    if name not in settings.config:
        raise UserError(
            f"{stack} has no configuration value {name}",
            hint=f"set it with `{workspace.current().command('config set', stack, key)}`",
        )
    with operations.environment(operations.site_of(stack)):
        value: Any = settings.config[name].plain(_crypter(stack, settings))
    value = config_paths.get(value, rest, name)
    print(json.dumps({"value": value}) if as_json else text_of(value))


@app.command("set")
def set_(
    stack: flags.Stack,
    key: Key,
    value: Annotated[str | None, typer.Argument(metavar="[VALUE]", help="Else from standard input.")] = None,
    secret: Annotated[bool, typer.Option("--secret", help="Encrypt it.")] = False,
    plaintext: Annotated[bool, typer.Option("--plaintext", help="Do not encrypt it.")] = False,
    path: AsPath = False,
) -> None:
    """Set one value."""
    if secret and plaintext:
        raise UserError("a value is either --secret or --plaintext")
    settings = _settings(stack)
    name, rest = _place(key, as_path=path)
    text = value if value is not None else _ask_value(secret=secret)
    raw: Any = text
    if secret:
        with operations.environment(operations.site_of(stack)):
            crypter = _crypter(stack, settings)
            raw = {"secure": crypter.encrypt(text)}
            settings.encryption_salt = crypter.salt
    elif rest:
        raw = config_paths.coerce(text)
    old = settings.config[name].raw if name in settings.config else None
    settings.config[name] = ConfigValue(config_paths.put(old, rest, raw, name) if rest else raw)
    settings.save()


def _ask_value(*, secret: bool) -> str:
    """The value from standard input; on a terminal one line, which is not shown if it is a secret."""
    if not sys.stdin.isatty():
        return sys.stdin.read().rstrip("\n")
    return getpass.getpass("value: ") if secret else input("value: ")


@app.command()
def rm(stack: flags.Stack, key: Key, path: AsPath = False) -> None:
    """Remove one value."""
    settings = _settings(stack)
    name, rest = _place(key, as_path=path)
    if name not in settings.config:
        raise UserError(f"{stack} has no configuration value {name}")
    if rest:
        settings.config[name] = ConfigValue(config_paths.without(settings.config[name].raw, rest, name))
    else:
        del settings.config[name]
    settings.save()


@app.command()
def refresh(stack: flags.Stack) -> None:
    """Set all values as they were in the last operation; the file before is kept beside it, as `.bak`."""
    settings, ref = _settings(stack), operations.reference(stack)
    last = next(iter(operations.backend().history(ref)), None)
    if last is None:
        raise UserError(f"nothing was done to {stack} yet", hint="there is no configuration to go back to")
    if settings.path.exists():
        shutil.copy2(settings.path, f"{settings.path}.bak")
    found = last.get("config") or {}
    settings.encryption_salt = settings.encryption_salt or _crypter(stack, settings).salt
    settings.config = {key: ConfigValue(raw) for key, raw in found.items()}
    settings.save()
    print(f"{settings.path.name} has {len(found)} values, as of the last {last['kind']}")


@app.command("ls")
def list_(
    stack: flags.Stack,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Open secrets.")] = False,
    as_json: Json = False,
) -> None:
    """Show all values."""
    settings = _settings(stack)
    rows: dict[str, dict[str, Any]] = {}
    with operations.environment(operations.site_of(stack)):
        crypter = _crypter(stack, settings)
        for key, value in sorted(settings.config.items()):
            row: dict[str, Any] = {"secret": value.secret}
            if show_secrets or not value.secret:
                row["value"] = value.text(crypter)
            rows[key] = row
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for key, row in rows.items():
        print(f"{key}: {row.get('value', '[secret]')}")
