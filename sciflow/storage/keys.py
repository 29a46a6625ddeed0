"""Makes the keys under which things are stored. Nobody else builds one.

A key ends with the name that the user gave the file, which may hold whatever a file's name can: local folders take it
as it is, a store that does not must encode it.
"""

from __future__ import annotations


def artifact_key(sha256: str, name: str) -> str:
    """Where an artifact that comes from outside lies: by its content, under its own name."""
    return f"artifacts/{sha256[:16]}/{name}"
