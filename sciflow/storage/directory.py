"""A folder as storage: keys are paths below it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from sciflow.runner.hashing import Copier, folder_hash
from sciflow.storage.storage import Stored


class DirectoryStorage:
    """See `storage.storage.Storage`. Copies share blocks with the original where the file system can do that."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._copier = Copier()

    def put(self, source: Path, key: Callable[[str], str]) -> Stored:
        """See `Storage`. The hash is that of the copy, so a source that changes meanwhile does no harm."""
        beside = f".put-{os.urandom(8).hex()}"
        stored = self.put_unseen(str(source), beside)
        stored = msgspec.structs.replace(stored, key=key(stored.sha256))
        try:
            place = self._root / stored.key
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                self._show(beside, place)
            return stored
        finally:
            self.delete(beside)

    def _show(self, beside: str, place: Path) -> None:
        try:
            (self._root / beside).rename(place)
        except OSError:
            if not place.exists():  # else somebody was quicker
                raise

    def put_unseen(self, source: str, key: str) -> Stored:
        """Stores under a free key, in a folder that is there; nobody looks for it before what this gives is recorded.

        That saves writing beside and renaming: if the process dies meanwhile, what is there is in no record.

        Raises:
            OSError: it cannot be read, there is no room, or something is there; FileExistsError only for the last.
        """
        place = os.path.join(self._root, key)
        try:
            if os.path.isdir(source):
                self._copier.standalone(source, place)
                sha256, size = folder_hash(place)
                return Stored(key=key, kind="folder", sha256=sha256, size=size)
            sha256, size = self._copier.hashed(source, place)
            return Stored(key=key, kind="file", sha256=sha256, size=size)
        except BaseException as error:
            if not (isinstance(error, FileExistsError) and error.filename == place):
                self.delete(key)
            raise

    def get(self, stored: Stored, target: Path) -> None:
        """See `Storage`."""
        place = str(self._root / stored.key)
        copy = self._copier.folder if stored.kind == "folder" else self._copier.file
        beside = target.with_name(f".get-{os.urandom(8).hex()}")
        try:
            copy(place, str(beside), sha256=stored.sha256)
            beside.rename(target)
        finally:
            _remove(beside)

    def exists(self, key: str) -> bool:
        """See `Storage`."""
        return os.path.lexists(self._root / key)

    def keys(self, prefix: str) -> Iterator[str]:
        """See `Storage`; every file's key, below stored folders too."""
        places = (Path(folder, name) for folder, _, files in os.walk(self._root) for name in files)
        yield from sorted(key for place in places if (key := str(place.relative_to(self._root))).startswith(prefix))

    def copy(self, key: str, to: str) -> None:
        """See `Storage`."""
        self.put(self._root / key, lambda _: to)

    def delete(self, key: str) -> None:
        """See `Storage`."""
        _remove(self._root / key)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        import shutil

        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
