"""What travels to a machine once: the runner as one file, and the user's own modules, both named by their hash.

Both are made of the same bytes wherever and whenever they are made of the same files.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path

import msgspec

from sciflow.errors import ConfigError
from sciflow.executors.own_modules import OwnModules
from sciflow.runner.node import MAIN

SCIFLOW = Path(__file__).parents[1]
MOST_BYTES = 50 << 20  # of a bundle
SCRIPTS = "__scripts__"  # folder of a bundle for scripts: not to be imported under their names
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_AUTHORING = (
    "active", "conditions", "eager", "hole", "location", "op", "options", "program", "program_stub", "secret",
    "untyped", "verbs", "workflow",
)  # fmt: skip
_STAND_INS: Mapping[str, str] = {  # name in the zip -> file of `executors.node`
    "author/launch.py": "launch",
    "author/option_check.py": "option_check",
    "author/program_here.py": "launch",
    "author/reference.py": "reference",
    "author/suspension.py": "suspension",
    "author/text.py": "text",
    "author/tracer.py": "tracer",
    "engine/api.py": "launch",
    "engine/handle.py": "launch",
    "executors/ahead.py": "ahead",
}
_PACKAGES = ("author", "engine", "executors", "runner")


@cache
def runner_zip() -> tuple[str, bytes]:
    """The runner, with the names that a user's module imports: SHA-256 and content of a zip that Python runs."""
    own = resources.files("sciflow")  # which may itself be a zip, in a pod
    files = {f"sciflow/{name}/__init__.py": b"" for name in _PACKAGES}
    files["__main__.py"] = MAIN.encode()
    for name in ("__init__.py", "errors.py"):
        files[f"sciflow/{name}"] = (own / name).read_bytes()
    for module in (own / "runner").iterdir():
        if module.name.endswith(".py"):
            files[f"sciflow/runner/{module.name}"] = module.read_bytes()
    for name in _AUTHORING:
        files[f"sciflow/author/{name}.py"] = (own / "author" / f"{name}.py").read_bytes()
    for place, name in _STAND_INS.items():
        files[f"sciflow/{place}"] = (own / "executors" / "node" / f"{name}.py").read_bytes()
    return _named(zipped(files))


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of files by their names in it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, _LONG_AGO)
            member.external_attr = 0o644 << 16
            member.create_system = 3  # wherever it is made
            archive.writestr(member, files[name], zipfile.ZIP_DEFLATED, 9)
    return made.getvalue()


def _named(content: bytes) -> tuple[str, bytes]:
    return hashlib.sha256(content).hexdigest(), content


class Bundle(msgspec.Struct, frozen=True):
    """The user's own modules as a tar archive, to be unpacked in a folder that is put on `sys.path`."""

    name: str  # SHA-256 of the content
    content: bytes
    files: tuple[str, ...]  # by their paths in it
    scripts: Mapping[str, str]  # a script as it was given -> its path in it


def user_bundle(modules: Iterable[str], sys_path: Sequence[str]) -> Bundle:
    """What ops of these modules need that is not installed: the modules, and what they import, transitively.

    A package comes whole, with its data files. Imports are read from the source; what is imported by a name that is
    made at run time is not seen.

    Args:
        modules: names of modules, or paths of scripts (absolute).
        sys_path: where modules are looked for, in this order.

    Raises:
        ConfigError: there is more than `MOST_BYTES` of it.
    """
    found = OwnModules(sys_path)
    scripts: dict[str, str] = {}
    for module in sorted(set(modules)):
        if os.path.isabs(module):
            scripts[module] = f"{SCRIPTS}/{len(scripts)}/{os.path.basename(module)}"
            found.follow_script(module)
        else:
            found.follow(module)
    files = {**found.files(), **{place: script for script, place in scripts.items()}}
    _check_size(files)
    name, content = _named(_tarred(files))
    return Bundle(name=name, content=content, files=tuple(sorted(files)), scripts=scripts)


def _check_size(files: Mapping[str, str]) -> None:
    sizes = {file: os.path.getsize(file) for file in files.values()}
    total = sum(sizes.values())
    if total > MOST_BYTES:
        largest = sorted(sizes, key=lambda file: -sizes[file])[:3]
        named = ", ".join(f"{file} ({sizes[file] >> 20} MB)" for file in largest)
        raise ConfigError(
            f"the modules that ops need have {total >> 20} MB, and at most {MOST_BYTES >> 20} MB are sent as code: "
            f"{named}\n    fix:      pass large data files to the ops as inputs, or install the package there"
        )


def _tarred(files: Mapping[str, str]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            content = Path(files[name]).read_bytes()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = 0o755 if os.stat(files[name]).st_mode & 0o100 else 0o644
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()
