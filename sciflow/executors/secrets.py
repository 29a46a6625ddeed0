"""Secrets are references until a worker's environment is made; the value goes nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

from sciflow.core.graph import Secret
from sciflow.errors import ConfigError


def resolve_secret(value: str | Secret) -> str:
    """The value behind a reference, read here and now; plain text is itself.

    Raises:
        ConfigError: the variable is not set, or the file cannot be read. The message never holds a value.
    """
    match value:
        case str():
            return value
        case Secret(env=str() as name):
            if name not in os.environ:
                raise ConfigError(f"the environment variable {name} is not set where the engine runs")
            return os.environ[name]
        case Secret(file=str() as path):
            try:
                return Path(path).expanduser().read_text().rstrip("\n")
            except OSError as error:
                raise ConfigError(f"the file {path} cannot be read: {error.strerror}") from error
        case _:
            raise ConfigError("the secret names neither an environment variable nor a file")
