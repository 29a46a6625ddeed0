"""What a bucket does not keep of files and folders: what there is in a folder, empty folders, links, modes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

# (path in the folder, "file", "program", "folder" or "link", where a link points)
Inside: TypeAlias = Sequence[Sequence[str]]


class Shapes(msgspec.Struct, frozen=True, kw_only=True):
    """Of some files and folders of a run, by their paths in it."""

    folders: Mapping[str, Inside] = {}
    executable: Sequence[str] = ()  # files
