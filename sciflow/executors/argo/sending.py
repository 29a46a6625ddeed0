"""What a run's pods need, put into the bucket before the run begins there."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec

from sciflow.executors.argo.bucket import Bucket
from sciflow.executors.argo.facts import Facts
from sciflow.executors.argo.layout import FACTS, Layout
from sciflow.executors.argo.site import Delivery
from sciflow.executors.package import SCIFLOW, runner_zip

GIVEN = ("artifacts", "values", "code")  # parts of a run folder that there are before anything has run
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


@cache
def package_zip() -> tuple[str, bytes]:
    """Sciflow itself, for the container that comes before a task's own: SHA-256 and content of a zip to import from."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(SCIFLOW.rglob("*.py")):
            if path.relative_to(SCIFLOW).parts[0] not in {"cli", "view", "testing"}:
                member = zipfile.ZipInfo(f"sciflow/{path.relative_to(SCIFLOW)}", _LONG_AGO)
                member.external_attr = 0o644 << 16
                archive.writestr(member, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    content = made.getvalue()
    return hashlib.sha256(content).hexdigest(), content


def send_code(bucket: Bucket, layout: Layout, bundles: Mapping[str, bytes]) -> Delivery:
    """Puts the runner, sciflow and users' modules there, unless they are."""
    (runner, runner_data), (package, package_data) = runner_zip(), package_zip()
    for sha256, data in {runner: runner_data, package: package_data, **bundles}.items():
        if not bucket.has(layout.code(sha256)):
            bucket.put(layout.code(sha256), data)
    return Delivery(runner=runner, package=package)


def send_run(bucket: Bucket, layout: Layout, root: Path, facts: Facts) -> None:
    """Puts there what the run was given: its files, its large values, its script; and at last what it is."""
    files = {path: root / path for part in GIVEN for path in _files(root, part)}
    bucket.put_files({layout.part(path): file for path, file in files.items()})
    folders = {
        f"artifacts/{entry.name}": tuple(_inside(entry.path, ""))
        for entry in os.scandir(root / "artifacts")
        if entry.is_dir(follow_symlinks=False)
    }
    executable = tuple(path for path, file in files.items() if file.stat().st_mode & stat.S_IXUSR)
    code = tuple(path.partition("/")[2] for path in files if path.startswith("code/"))
    told = msgspec.structs.replace(facts, folders=_with_inner(folders), executable=executable, code=code)
    bucket.put(layout.part(FACTS), msgspec.json.encode(told))


def _files(root: Path, part: str) -> Iterator[str]:
    for folder, _, names in os.walk(root / part):
        for name in names:
            path = Path(folder) / name
            if not path.is_symlink():
                yield str(path.relative_to(root))


def _inside(folder: str, above: str) -> Iterator[tuple[str, str, str]]:
    """Everything in a folder; see `outcomes.Head`."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        place = f"{above}{entry.name}"
        if entry.is_symlink():
            yield place, "link", os.readlink(entry.path)
        elif entry.is_dir():
            yield place, "folder", ""
            yield from _inside(entry.path, f"{place}/")
        else:
            yield place, "program" if entry.stat().st_mode & stat.S_IXUSR else "file", ""


def _with_inner(folders: Mapping[str, tuple[tuple[str, str, str], ...]]) -> dict[str, tuple[tuple[str, str, str], ...]]:
    """Folders in folders, too: a value may speak of one of those."""
    found = dict(folders)
    for path, inside in folders.items():
        for place, kind, _ in inside:
            if kind == "folder":
                head = f"{place}/"
                own = tuple((p.removeprefix(head), k, link) for p, k, link in inside if p.startswith(head))
                found[f"{path}/{place}"] = own
    return found
