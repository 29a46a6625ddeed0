"""Which of the files that an op leaves behind are kept, and which must never be."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence


class Selection:
    """Glob patterns of `keep` (none: everything) and `never_keep`.

    A pattern without a slash is compared with a file's name, one with a slash with its path in the working folder;
    a pattern that fits a folder stands for all that it holds.
    """

    def __init__(self, keep: Sequence[str] = (), never_keep: Sequence[str] = ()) -> None:
        self._keep = tuple(keep)
        self._never = tuple(never_keep)

    @property
    def has_patterns(self) -> bool:
        """Whether not everything is kept."""
        return bool(self._keep or self._never)

    def forbids(self, relative: str) -> bool:
        """Whether a file must never be kept."""
        return bool(self._never) and _fits(relative, self._never)

    def wants(self, relative: str) -> bool:
        """Whether a file is to be kept."""
        return not self.forbids(relative) and (not self._keep or _fits(relative, self._keep))

    def purge(self, folder: str) -> None:
        """Remove from an output folder what must never be kept."""
        if self._never:
            name = os.path.basename(folder)
            for relative in leaves(folder):
                if self.forbids(f"{name}/{relative}") or self.forbids(relative):
                    place = f"{folder}/{relative}"
                    (os.rmdir if os.path.isdir(place) and not os.path.islink(place) else os.unlink)(place)

    def kept(self, folder: str) -> list[str]:
        """What is to be kept of a folder: relative paths, none inside another one."""
        if not self.has_patterns:
            return sorted(os.listdir(folder))
        return [relative for relative in leaves(folder) if self.wants(relative)]


def leaves(folder: str, prefix: str = "") -> list[str]:
    """The relative paths of all files, links and empty folders below a folder, sorted."""
    found: list[str] = []
    for name in sorted(os.listdir(f"{folder}/{prefix}")):
        relative = prefix + name
        place = f"{folder}/{relative}"
        is_folder = os.path.isdir(place) and not os.path.islink(place)
        inside = leaves(folder, f"{relative}/") if is_folder else []
        found += inside or [relative]
    return found


def _fits(relative: str, patterns: tuple[str, ...]) -> bool:
    from fnmatch import fnmatchcase

    parts = relative.split("/")
    above = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
    for pattern in patterns:
        candidates = above if "/" in pattern.rstrip("/") else parts
        if any(fnmatchcase(candidate, pattern.rstrip("/")) for candidate in candidates):
            return True
    return False
