"""What a user writes of a storage in `sciflow.toml`, `[storages.NAME]`, checked as a whole."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import msgspec

from sciflow.errors import ConfigError
from sciflow.runner.duration import is_seconds


class DirectorySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`type = "directory"`: a folder, such as one on a file system that several machines see."""

    path: str


class S3Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`type = "s3"`: a bucket of any server that speaks S3."""

    endpoint: str  # https://host[:port]; http:// where nobody listens in
    bucket: str
    prefix: str = ""
    region: str = "us-east-1"
    profile: str = ""  # of the credentials file
    credentials_file: str = ""  # in the form of ~/.aws/credentials
    access_key_env: str = "AWS_ACCESS_KEY_ID"
    secret_key_env: str = "AWS_SECRET_ACCESS_KEY"  # noqa: S105  the name of a variable
    ca_file: str = ""  # certificates to trust besides the machine's own
    parallel: int = 4  # transfers at once of parts of one large file
    patience_s: float = 60.0  # for which a request is made again while the server does not answer


StorageSettings: TypeAlias = DirectorySettings | S3Settings
KINDS: Mapping[str, type[StorageSettings]] = {"directory": DirectorySettings, "s3": S3Settings}


def parse_storage(name: str, table: Mapping[str, Any]) -> StorageSettings:
    """The settings of one storage of a kind of ours.

    Raises:
        ConfigError: what is wrong, with the names that there are.
    """
    kind = KINDS[table["type"]]
    values = {key: value for key, value in table.items() if key != "type"}
    try:
        settings = msgspec.convert(values, type=kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"storage {name}: {_explained(name, str(error), values, kind)}") from error
    if isinstance(settings, S3Settings):
        _check(name, settings)
    return settings


def _check(name: str, settings: S3Settings) -> None:
    url = urlsplit(settings.endpoint)
    if url.scheme not in ("http", "https") or not url.hostname or url.path.strip("/") or url.username or url.query:
        shown = "an address with a password in it" if url.password else repr(settings.endpoint)
        raise ConfigError(f"storage {name}: endpoint: expected https://HOST or https://HOST:PORT, found {shown}")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", settings.bucket):
        expected = "3 to 63 small letters, digits, dots and hyphens, a letter or digit at each end"
        raise ConfigError(f"storage {name}: bucket: expected {expected}, found {settings.bucket!r}")
    if settings.parallel < 1 or not is_seconds(settings.patience_s):
        raise ConfigError(f"storage {name}: expected parallel from 1 and patience_s from 0")


def _explained(name: str, problem: str, table: Mapping[str, Any], kind: type[StorageSettings]) -> str:
    unknown = [key for key in table if f"`{key}`" in problem and "unknown field" in problem]
    if not unknown:
        return problem
    fields = [field.encode_name for field in msgspec.structs.fields(kind)]
    near = difflib.get_close_matches(unknown[0], fields, n=1)
    fix = f"did you mean {near[0]!r}?" if near else f"correct or remove it in [storages.{name}]"
    return f"unknown entry {unknown[0]!r}\n    expected: one of type, {', '.join(fields)}\n    fix:      {fix}"
