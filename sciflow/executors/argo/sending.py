"""What a run's pods need, put into the bucket before the run begins there."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec

from sciflow.executors.argo.bucket import Bucket
from sciflow.executors.argo.facts import Facts, Given
from sciflow.executors.argo.layout import FACTS, Layout
from sciflow.executors.argo.site import Delivery
from sciflow.executors.package import SCIFLOW, runner_zip
from sciflow.runner.shapes import inside

GIVEN = ("artifacts", "values", "code")  # parts of a run folder that there are before anything has run
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


@cache
def package_zip() -> tuple[str, bytes]:
    """Sciflow itself, for the container that comes before a task's own: SHA-256 and content of a zip to import from."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((*SCIFLOW.rglob("*.py"), *SCIFLOW.rglob("*.sh"))):
            if path.relative_to(SCIFLOW).parts[0] not in {"cli", "testing"}:
                member = zipfile.ZipInfo(f"sciflow/{path.relative_to(SCIFLOW)}", _LONG_AGO)
                member.external_attr = 0o644 << 16
                archive.writestr(member, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    content = made.getvalue()
    return hashlib.sha256(content).hexdigest(), content


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
        (runner, runner_data), (package, package_data) = runner_zip(), package_zip()
        for sha256, data in {runner: runner_data, package: package_data, **self._bundles}.items():
            if not self._bucket.has(self._layout.code(sha256)):
                self._bucket.put(self._layout.code(sha256), data)
        given = self.send_parts(GIVEN)
        code = tuple(path.partition("/")[2] for path in _files(self._root, "code"))
        told = msgspec.structs.replace(self._facts, folders=given.folders, executable=given.executable, code=code)
        self._bucket.put(self._layout.part(FACTS), msgspec.json.encode(told))
        return Delivery(runner=runner, package=package)

    def send_answer(self, path: str, text: bytes) -> None:
        """What was given at a suspension, its files first."""
        given = self.send_parts(("artifacts", "values"))
        answer = Given(output=msgspec.Raw(text), folders=given.folders, executable=given.executable)
        self._bucket.put(self._layout.answer(path), msgspec.json.encode(answer))

    def send_parts(self, parts: Iterable[str]) -> Given:
        """Files of the run folder, as far as they are not there; the shapes of its folders."""
        files = {path: self._root / path for part in parts for path in _files(self._root, part)}
        there = {key for part in parts for key in self._bucket.list(self._layout.part(f"{part}/"))}
        missing = {self._layout.part(path): file for path, file in files.items()}
        code = self._layout.part("code/")  # which may have been edited
        self._bucket.put_files({k: f for k, f in missing.items() if k not in there or k.startswith(code)})
        folders = {
            f"artifacts/{entry.name}": tuple(inside(entry.path))
            for entry in os.scandir(self._root / "artifacts")
            if entry.is_dir(follow_symlinks=False)
        }
        executable = tuple(path for path, file in files.items() if file.stat().st_mode & stat.S_IXUSR)
        return Given(output=msgspec.Raw(b"null"), folders=folders, executable=executable)


def _files(root: Path, part: str) -> Iterator[str]:
    for folder, _, names in os.walk(root / part):
        for name in names:
            path = Path(folder) / name
            if not path.is_symlink():
                yield str(path.relative_to(root))
