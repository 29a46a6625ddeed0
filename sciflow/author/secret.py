"""A value by reference: named in the workflow, read where the task is started, written down nowhere.

Standard library only and clean for Python 3.9.
"""

from __future__ import annotations


class SecretRef:
    """Where a secret value lies on the machine of the engine."""

    __slots__ = ("env", "file")

    def __init__(self, *, env: str | None = None, file: str | None = None) -> None:
        self.env = env
        self.file = file

    def __repr__(self) -> str:
        return f"secret(env={self.env!r})" if self.file is None else f"secret(file={self.file!r})"


def secret(*, env: str | None = None, file: str | None = None) -> SecretRef:
    """An environment variable's value that is taken from `env` or read from `file` when the task is started.

    Raises:
        TypeError: not exactly one of both is given.
    """
    if (env is None) == (file is None):
        raise TypeError("secret() takes either env= (a variable's name) or file= (a path)")
    return SecretRef(env=env, file=file)
