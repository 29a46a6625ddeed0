"""What servers say when something is amiss: what counts as their own word, and what of it may be shown. Pure."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec

LONGEST = 1000  # characters that somebody reads
HIDDEN = "***"
NOT_FOUND = 5  # a code of gRPC, in which Argo's server speaks
SHORT = 8  # characters, below which a password is no secret that could be kept
KNOWN = 12  # characters by which a token is known that was cut off
_REST = r"[\w.~+/=%\\-]*"  # of a token


class Said:
    """Takes out of what a server says what gives us access: proxies show back what they were sent."""

    def __init__(self, authorizations: tuple[str, ...] = ()) -> None:
        self._authorizations = authorizations
        forms = {form for one in authorizations for secret in _secrets(one) for form in _forms(secret)}
        self._secret = re.compile("|".join(sorted(forms, key=len, reverse=True))) if forms else None

    def without(self, authorization: str) -> Said:
        """The same, which knows one more header; of those before only the last, which may still be under way."""
        return Said((*self._authorizations[-1:], authorization)) if authorization else self

    def shown(self, said: bytes | str) -> str:
        """As much as somebody reads, without any token of ours."""
        text = said if isinstance(said, str) else said.decode(errors="replace")
        text = text if self._secret is None else self._secret.sub(HIDDEN, text)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def _secrets(authorization: str) -> Iterator[str]:
    scheme, _, rest = authorization.partition(" ")
    secret = rest.strip() or scheme
    yield secret
    if rest and scheme.lower() == "basic":
        try:
            login = b64decode(secret, validate=True).decode()
        except (Error, UnicodeDecodeError):
            return
        yield login
        password = login.partition(":")[2]
        if len(password) >= SHORT:  # the letters of a shorter one may stand in any message, and were known by its gaps
            yield password


def _forms(secret: str) -> Iterator[str]:
    """How a secret may stand in a text, as patterns."""
    quoted = msgspec.json.encode(secret).decode()[1:-1]
    yield from map(re.escape, (secret, quote(secret, safe=""), quoted, quoted.replace("/", "\\/")))
    if len(secret) > 2 * KNOWN:
        yield re.escape(secret[:KNOWN]) + _REST


def message_of(content: bytes) -> str:
    """The message in an answer, or all of one that has none."""
    message = _read(content).get("message")
    return content.decode(errors="replace") if message is None else str(message)


def is_word(content: bytes) -> bool:
    """Whether Argo's server or Kubernetes says so itself, and not something on the way to it."""
    told = _read(content)
    return isinstance(told.get("code"), int) or told.get("kind") == "Status"


def says_missing(content: bytes, name: str) -> bool:
    """Whether Argo's server or Kubernetes says itself that there is no object of this name."""
    match _read(content):
        case {"kind": "Status", "reason": "NotFound", "details": {"name": named}}:
            return bool(name) and named == name
        case {"code": code, "message": str(message)} if code == NOT_FOUND:
            return bool(name) and (f'"{name}"' in message or message == "not found")
        case _:
            return False


def _read(content: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
