"""The way to a server, and who speaks there."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import msgspec

from sciflow.errors import ConfigError


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """The way to a server, and who speaks."""

    url: str
    authorization: str = ""  # a header
    trust: Any = True  # an SSLContext, or whether certificates are looked at
    server_name: str = ""  # in the certificate, if it is not the one in `url`

    def __repr__(self) -> str:
        """Without what gives access."""
        return f"Access({self.url!r})"


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """How what is to be done is spoken of."""

    server: str  # what answers
    place: str  # the setting that says where
    token: str  # and where it comes from
    ca: str  # where certificates that are trusted are named
    renewal: str = ""  # what else there is to know of a new token
    unknown: str = ""  # what else may be amiss where it knows no such address
    plain: str  # how the check of certificates is left out


def certificates(file: str) -> ssl.SSLContext:
    """Trust in what is in a file alone.

    Raises:
        ConfigError: there are no certificates in it.
    """
    try:
        return ssl.create_default_context(cafile=str(Path(file).expanduser()))
    except OSError as error:
        raise ConfigError(f"`ca_file` {file}: {error.strerror or error}") from error


def bearer(token: str) -> str:
    """The header of a token, which may have the word in front."""
    return token if not token or token.lower().startswith(("bearer ", "basic ")) else f"Bearer {token}"
