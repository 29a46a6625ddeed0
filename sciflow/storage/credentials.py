"""Keys of an S3 account, found where the settings say; what is written down is where, never what.

Looked for in this order: the file that the settings name, the variables of the environment that they name, the file
that AWS's own programs read.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sciflow.errors import ConfigError
from sciflow.storage.settings import S3Settings


@dataclass(frozen=True)
class Credentials:
    """An account's keys; the text of this record shows the name of the key alone."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def find_credentials(name: str, settings: S3Settings, environ: Mapping[str, str] = os.environ) -> Credentials:
    """The keys for a storage.

    Raises:
        ConfigError: there are none, with all places where they were looked for. The message never holds a value.
    """
    if settings.profile or settings.credentials_file:
        return _of_file(name, _file(settings, environ), settings.profile or "default")
    variables = (settings.access_key_env, settings.secret_key_env)
    access, secret = (environ.get(variable, "") for variable in variables)
    if access and secret:
        return Credentials(access, secret, environ.get("AWS_SESSION_TOKEN") if _is_aws(settings) else None)
    file = _file(settings, environ)
    if file.is_file():
        return _of_file(name, file, "default")
    raise ConfigError(
        f"storage {name}: no credentials\n    expected: {' and '.join(variables)} in the environment, or {file}\n"
        f"    fix:      set them, or name a `profile` or a `credentials_file` in [storages.{name}]"
    )


def _is_aws(settings: S3Settings) -> bool:
    """Whether the variables are those of AWS's own programs, which may set a third."""
    return settings.access_key_env == "AWS_ACCESS_KEY_ID"


def _file(settings: S3Settings, environ: Mapping[str, str]) -> Path:
    chosen = settings.credentials_file or environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
    return Path(chosen).expanduser()


def _of_file(name: str, file: Path, profile: str) -> Credentials:
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"storage {name}: the credentials in {file} cannot be read: {error.strerror}") from error
    except (configparser.Error, UnicodeError) as error:
        what = f"{file} is not in the form of AWS's credentials file"
        raise ConfigError(f"storage {name}: {what}: sections [PROFILE] of lines NAME = VALUE") from error
    if profile not in parser:
        raise ConfigError(f"storage {name}: {file} has no profile {profile!r}; it has: {', '.join(parser.sections())}")
    section = parser[profile]
    missing = [key for key in ("aws_access_key_id", "aws_secret_access_key") if not section.get(key)]
    if missing:
        raise ConfigError(f"storage {name}: profile {profile!r} of {file} has no {' and no '.join(missing)}")
    token = section.get("aws_session_token")
    return Credentials(section["aws_access_key_id"], section["aws_secret_access_key"], token)
