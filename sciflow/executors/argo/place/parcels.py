"""What every pod is given of sciflow: zips of modules, compiled for the author's version of Python.

Python reads a module's source instead where it is another version. In a pod it would compile all that it imports anew,
which takes longer than all that is done there.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import cache
from importlib.util import MAGIC_NUMBER, source_hash
from marshal import dumps

import msgspec

from sciflow.executors.argo.place.layout import PACKAGE, RUNNER
from sciflow.executors.package import SCIFLOW, runner_zip, zipped

_NOT_CHECKED = (1).to_bytes(4, "little")  # goes by its source's hash, which Python need not compare: see PEP 552
_NOT_IN_PODS = frozenset({"cli", "testing"})


class Parcel(msgspec.Struct, frozen=True):
    """A zip of sources, and where it lies in pods."""

    sources: bytes
    place: str

    @property
    def name(self) -> str:
        """That of what it is made of: compiled modules may be written in several ways that mean the same."""
        return hashlib.sha256(MAGIC_NUMBER + self.place.encode() + self.sources).hexdigest()

    def content(self) -> bytes:
        """The zip with each module as source and compiled; takes seconds."""
        with zipfile.ZipFile(io.BytesIO(self.sources)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        modules = {f"{name}c": self._compiled(name, text) for name, text in files.items() if name.endswith(".py")}
        return zipped({**files, **modules})

    def _compiled(self, name: str, source: bytes) -> bytes:
        code = compile(source, f"{self.place}/{name}", "exec", dont_inherit=True, optimize=2)
        return MAGIC_NUMBER + _NOT_CHECKED + source_hash(source) + dumps(code)


@cache
def runner_parcel() -> Parcel:
    """The runner."""
    return Parcel(runner_zip()[1], RUNNER)


@cache
def package_parcel() -> Parcel:
    """Sciflow itself, for the container that comes before a task's own."""
    paths = sorted((*SCIFLOW.rglob("*.py"), *SCIFLOW.rglob("*.sh")))
    inside = {path: path.relative_to(SCIFLOW) for path in paths}
    files = {f"sciflow/{place}": path for path, place in inside.items() if place.parts[0] not in _NOT_IN_PODS}
    return Parcel(zipped({name: path.read_bytes() for name, path in files.items()}), PACKAGE)
