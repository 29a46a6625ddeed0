"""Unpacks an archive of files, folders and links, never outside of its folder."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path, PurePosixPath

from sciflow.errors import RunDamaged


def unpack(archive: Path, folder: Path, *, has_links: bool = True) -> None:
    """Unpacks to a new folder. Links come last, so that nothing is written through one.

    `has_links`: whether there may be any.

    Raises:
        RunDamaged: something in it has no place in the folder.
    """
    folder.mkdir()
    links: list[tuple[Path, str]] = []
    with tarfile.open(archive) as tar:
        for member in tar:
            target = _inside(folder, member.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if member.isdir():
                target.mkdir(exist_ok=True)
            elif member.issym() and has_links:
                links.append((target, member.linkname))
            elif member.isreg():
                _write(tar, member, target)
            else:
                raise RunDamaged(f"{archive}: {member.name!r} is none of what it should hold")
    for target, text in links:
        target.symlink_to(text)


def _inside(folder: Path, name: str) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise RunDamaged(f"an archive holds {name!r}, which lies outside of it")
    return folder / path


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    content = tar.extractfile(member)
    assert content is not None
    with target.open("xb") as file:
        shutil.copyfileobj(content, file)
    target.chmod(0o755 if member.mode & 0o100 else 0o644)
