"""What a run's pods need, put into the bucket before the run begins there."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.trees import parts_of
from sciflow.errors import RunDamaged
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.content import Content
from sciflow.executors.argo.place.facts import Facts, GivenValue
from sciflow.executors.argo.place.given import read_facts
from sciflow.executors.argo.place.layout import FACTS, Delivery, Layout
from sciflow.executors.argo.place.parcels import package_parcel, runner_parcel
from sciflow.executors.argo.place.shapes import Inside, Shapes
from sciflow.runner import shapes as runner_shapes
from sciflow.runner.failures import PlaceError
from sciflow.runner.packs import read_stored

PARTS_GIVEN = ("artifacts", "values", "code")  # parts of a run folder that there are before anything has run


class Sender:
    """Puts into the bucket what the pods of one run need."""

    def __init__(self, bucket: Bucket, layout: Layout, root: Path, facts: Facts, bundles: Mapping[str, bytes]) -> None:
        """`root`: the run folder."""
        self._bucket = bucket
        self._layout = layout
        self._root = root
        self._facts = facts
        self._bundles = bundles

    def send(self) -> Delivery:
        """The runner, sciflow and users' modules, unless they are there; what the run was given; at last what it is."""
        runner, package = runner_parcel(), package_parcel()
        names = (runner.name, package.name, *self._bundles)
        missing = {name for name in names if not self._bucket.has(self._layout.code(name))}
        ours = {parcel.name: parcel.content() for parcel in (runner, package) if parcel.name in missing}
        for name, content in {**self._bundles, **ours}.items():
            if name in missing:
                self._bucket.put(self._layout.code(name), content)
        given = self.send_parts(PARTS_GIVEN)
        code = tuple(path.partition("/")[2] for path in _files(self._root, "code"))
        earlier = read_facts(self._bucket, self._layout) or self._facts
        told = msgspec.structs.replace(
            self._facts,
            setup=earlier.setup,  # of who began the run: whoever adopts it makes one of it that suits his machine
            pods=earlier.pods,  # as when the run began, since its chunks are known by their numbers
            folders=_merged(earlier, given),
            executable=sorted({*earlier.executable, *given.executable}),
            code=code,
        )
        self._bucket.put(self._layout.part(FACTS), msgspec.json.encode(told))
        return Delivery(runner=runner.name, package=package.name)

    def code(self) -> Sequence[str]:
        """Hashes of the user's modules, of a script's source, and of functions that are in no file."""
        files = [self._root / path for path in _files(self._root, "code")]
        return [*self._bundles, *(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)]

    def pods(self) -> int:
        """Of a fan: as many as when the run began, since its chunks are known by their numbers."""
        return (read_facts(self._bucket, self._layout) or self._facts).pods

    def send_answer(self, path: str, text: bytes) -> None:
        """What was given at a suspension, after all that it speaks of; nothing comes of it if an answer is there.

        Raises:
            RunDamaged: something of the answer is not in the run folder.
        """
        tree, shapes = json.loads(text), runner_shapes.Shapes(str(self._root))
        try:
            named = sorted(set(_named(tree, self._root)))
            shapes.add(tree)
        except PlaceError as error:
            raise RunDamaged(f"{self._root}: the answer to {path}: {error}") from error
        self._put([file for name in named for file in _files(self._root, name)], below=named)
        contents = {name: Content(*content) for name, content in shapes.contents.items()}
        answer = GivenValue(
            output=msgspec.Raw(text), folders=shapes.folders, executable=shapes.executable, contents=contents
        )
        self._bucket.put_new(self._layout.answer(path), msgspec.json.encode(answer))

    def send_parts(self, parts: Sequence[str]) -> Shapes:
        """All files of parts of the run folder; the shapes of its folders."""
        files = [path for part in parts for path in _files(self._root, part)]
        self._put(files, below=[f"{part}/" for part in parts])
        folders = {
            f"artifacts/{entry.name}": tuple(runner_shapes.inside(entry.path))
            for entry in os.scandir(self._root / "artifacts")
            if entry.is_dir(follow_symlinks=False)
        }
        executable = tuple(path for path in files if (self._root / path).stat().st_mode & stat.S_IXUSR)
        return Shapes(folders=folders, executable=executable)

    def _put(self, files: Iterable[str], *, below: Iterable[str]) -> None:
        """Files of the run folder, as far as they are not there, or longer here; they lie below these paths."""
        there: dict[str, int] = {}
        for path in below:
            there |= self._bucket.sizes(self._layout.part(path))
        ours = {self._layout.part(path): self._root / path for path in files}
        code = self._layout.part("code/")  # which may have been edited
        self._bucket.put_files({k: f for k, f in ours.items() if _grown(f, there.get(k)) or k.startswith(code)})


def _grown(file: Path, there: int | None) -> bool:
    """Whether more is here than there; of values of a run that was adopted there may be more there."""
    return there is None or file.stat().st_size > there  # an engine appends its values to one file


def _merged(earlier: Shapes, here: Shapes) -> Mapping[str, Inside]:
    """What is in folders, of which an adopted run has not all here."""
    known = earlier.folders
    more = {name: inside for name, inside in here.folders.items() if len(inside) >= len(known.get(name, ()))}
    return {**known, **more}


def _files(root: Path, part: str) -> Iterator[str]:
    """All files below a path of the run folder, or the one that is there."""
    if (root / part).is_file():
        yield part
    for folder, _, names in os.walk(root / part):
        for name in names:
            path = Path(folder) / name
            if not path.is_symlink():
                yield str(path.relative_to(root))


def _named(tree: Tree, root: Path) -> Iterator[str]:
    """The files and folders of a run of which a value speaks, and the packs in which its long parts lie.

    Raises:
        PlaceError: a pack is not there, or was changed.
    """
    for part in parts_of(tree):
        match part:
            case {"$": "artifact", "path": str() as path}:
                yield path
            case {"$": "value", "file": str() as file}:
                yield file
                yield from _named(json.loads(read_stored(str(root), part)), root)
