"""Makes the keys under which things are stored. Nobody else builds one.

A key ends with the name that the user gave the file, which may hold whatever a file's name can: local folders take it
as it is, a store that does not must encode it.
"""

from __future__ import annotations


def artifact_key(group: str, name: str) -> str:
    """Where an artifact that comes from outside lies: under its own name, in a group where no other has it.

    In a run's folder groups are numbered, so that files of many names lie in one; where runs share a store, see
    `content_key`.
    """
    return f"artifacts/{group}/{name}"


def content_key(sha256: str, name: str, *, folder: bool) -> str:
    """Where an artifact lies in a store that runs share: the same name and content lie there once.

    An empty folder has the hash of an empty file, so folders have groups of their own.
    """
    return artifact_key(f"{sha256}-folder" if folder else sha256, name)
