"""What a bucket does not keep of files and folders: what there is in a folder, empty folders, links, modes.

And what they were when they were made, since a bucket, or what lies before it, may give something else. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from sciflow.executors.argo.place.content import Content

# (path in the folder, "file", "program", "folder" or "link", where a link points)
Inside: TypeAlias = Sequence[Sequence[str]]


class Shapes(msgspec.Struct, frozen=True, kw_only=True):
    """Of some files and folders of a run, by their paths in it."""

    folders: Mapping[str, Inside] = {}
    executable: Sequence[str] = ()  # files
    contents: Mapping[str, Content] = {}  # of files, and of whole folders
