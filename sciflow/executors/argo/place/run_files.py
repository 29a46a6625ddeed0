"""The files and folders of a run, brought from the bucket with the shapes that they had."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.inside import place_in
from sciflow.executors.argo.place.layout import Layout
from sciflow.executors.argo.place.shapes import Inside, Shapes
from sciflow.executors.conducted import noted_conductor
from sciflow.executors.lost_files import gone


class RunFiles:
    """Brings them; what shapes they have is learnt from all that is read of the run."""

    def __init__(self, bucket: Bucket, layout: Layout) -> None:
        self._bucket = bucket
        self._layout = layout
        self._folders: dict[str, Inside] = {}
        self._executable: set[str] = set()

    def learn(self, shapes: Shapes) -> None:
        """Remembers what is in folders, and which files are programs."""
        self._folders.update(shapes.folders)
        self._executable.update(shapes.executable)

    def bring_all(self, paths: Collection[str], root: Path) -> set[str]:
        """Brings files and folders to the same paths below a folder, as far as they are not there.

        Links come last, so that nothing is written through one.

        Returns: those that are there now.

        Raises:
            RunDamaged: one leads out of the folder.
        """
        paths = list(paths)
        came = self._bucket.at_once(lambda path: self._bring(path, root), paths)
        for path in paths:
            for place, kind, points_to in self._inside(path) or ():
                if kind == "link":
                    target = place_in(root, f"{path}/{place}")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with suppress(FileExistsError):
                        target.symlink_to(points_to)
        return {path for path, here in zip(paths, came, strict=True) if here}

    def _bring(self, path: str, root: Path) -> bool:
        """Brings one but for its links; False if it is not to be had."""
        inside = self._inside(path)
        if inside is None:
            return self._file(path, root, executable=path in self._executable) or self._all_below(path, root)
        place_in(root, f"{path}/").mkdir(parents=True, exist_ok=True)
        return all(self._bucket.at_once(lambda part: self._part(path, root, *part), inside))

    def _all_below(self, path: str, root: Path) -> bool:
        """What a task has left besides its outputs: whatever is there."""
        head = self._layout.part("")
        found = [key.removeprefix(head) for key in self._bucket.list(f"{head}{path}/")]
        came = self._bucket.at_once(lambda file: self._file(file, root, executable=False), found)
        return bool(found) and all(came)

    def _part(self, path: str, root: Path, place: str, kind: str, _points_to: str) -> bool:
        match kind:
            case "folder":
                place_in(root, f"{path}/{place}/").mkdir(parents=True, exist_ok=True)
            case "file" | "program":
                return self._file(f"{path}/{place}", root, executable=kind == "program")
        return True

    def _inside(self, path: str) -> Inside | None:
        """What is in a folder, also in one that lies in another; None if it is a file."""
        if path in self._folders:
            return self._folders[path]
        for above in map(str, PurePosixPath(path).parents):
            place = path.removeprefix(f"{above}/")
            inside = self._folders.get(above, ())
            if any(part[0] == place and part[1] == "folder" for part in inside):
                head = f"{place}/"
                return [(part[0].removeprefix(head), *part[1:]) for part in inside if part[0].startswith(head)]
        return None

    def _file(self, path: str, root: Path, *, executable: bool) -> bool:
        target = place_in(root, path)
        if target.is_file():
            return True
        if target.is_dir() or not self._bucket.fetch(self._layout.part(path), target):
            return False
        target.chmod(0o755 if executable else 0o644)
        return True


def bring_files(files: RunFiles, here: Path, paths: Sequence[str], *, place: str) -> dict[str, str]:
    """Brings files and folders to the same paths in the run folder; of those that are not to be had, why."""
    why = "" if noted_conductor(here) else "`sciflow clean --remote` has removed what the run had there"
    came = files.bring_all(paths, here)
    return {path: gone(f"{place}{path}", here, why) for path in paths if path not in came}
