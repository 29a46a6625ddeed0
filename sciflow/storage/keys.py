"""Makes the keys under which things are stored. Nobody else builds one.

Keys consist of `[A-Za-z0-9._=-]` and `/` only, whatever the user calls a file: other characters are percent-encoded
with `=` for the percent sign, so that every store and every shell takes them. Local folders keep the user's names.
"""

from __future__ import annotations


def artifact_key(sha256: str, name: str) -> str:
    """Where an artifact that comes from outside lies: by its content, under its own name."""
    return f"artifacts/{sha256[:16]}/{name}"
