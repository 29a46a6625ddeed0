"""Whose a file is: the user's own, or installed; and which version of an installed package is here.

The versions are read from the names of the folders that installers leave beside packages (`numpy-2.1.0.dist-info`):
`importlib.metadata` takes longer to import than all of this takes.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

_STANDARD = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_PLACES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_KINDS = (".dist-info", ".egg-info")
_folders: dict[str, dict[str, str]] = {}  # folder of packages -> what is installed in it, by name: its folder
_versions: dict[tuple[str, str], tuple[str, str]] = {}


def is_own(file: str | None) -> bool:
    """Whether a file is the user's: neither of Python, nor of an installed package, nor of sciflow."""
    if not file or file.startswith("<frozen"):
        return False
    return not file.startswith((_STANDARD, _OURS)) and not any(place in file for place in _PLACES)


def is_installed(file: str | None) -> bool:
    """Whether a file is of an installed package other than sciflow."""
    return bool(file) and not str(file).startswith(_OURS) and any(place in str(file) for place in _PLACES)


def file_of(module: str) -> str | None:
    """The file of a module that is loaded; of a package without one, its folder."""
    loaded = sys.modules.get(module)
    file = getattr(loaded, "__file__", None)
    if isinstance(file, str):
        return file
    return next((os.path.join(folder, "") for folder in getattr(loaded, "__path__", ())), None)


def files_of(module: str, attribute: str = "") -> Iterator[tuple[str, str]]:
    """The files of a module and of the packages that it is in, and of the module of that name in it, if there is one.

    Nothing is imported. Of what is not the user's, the outermost package.
    """
    top, *inner = module.split(".")
    file, folders = _outermost(top)
    if file:
        yield top, file
    if file and not is_own(file):
        return
    for step in [*inner, *([attribute] if attribute else [])]:
        found = next((f for folder in folders for f in _module_files(os.path.join(folder, step)) if _exists(f)), None)
        if found is None:
            return
        top = f"{top}.{step}"
        folders = [os.path.dirname(found)] if found.endswith(os.sep) or os.path.basename(found) == _PACKAGE else []
        if not found.endswith(os.sep):
            yield top, found


_PACKAGE = "__init__.py"


def _module_files(path: str) -> tuple[str, str, str]:
    return os.path.join(path, _PACKAGE), f"{path}.py", os.path.join(path, "")


def _exists(file: str) -> bool:
    return os.path.isdir(file) if file.endswith(os.sep) else os.path.isfile(file)


def _outermost(name: str) -> tuple[str | None, list[str]]:
    """The file of an outermost module, and the folders of what is in it."""
    from importlib.util import find_spec

    loaded = sys.modules.get(name)
    if loaded is not None:
        return getattr(loaded, "__file__", None), list(getattr(loaded, "__path__", ()))
    try:
        spec = find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None, []
    if spec is None:
        return None, []
    return spec.origin if spec.has_location else None, list(spec.submodule_search_locations or ())


def installed_part(module: str, file: str) -> tuple[str, str]:
    """The part of an op's code that an installed module stands for: name and version of what was installed.

    Where nobody noted a version, the module and the hash of its file.
    """
    top = module.partition(".")[0]
    place = max(file.rfind(place) + len(place) for place in _PLACES if place in file)
    known = _versions.get((file[:place], top))
    if known is None:
        folder = _distribution(file[:place], top)
        if folder is None:
            return f"{module}:*", hash_of(file)
        name, _, version = os.path.splitext(folder)[0].partition("-")
        known = _versions[file[:place], top] = (name, version)
    return known


def hash_of(file: str) -> str:
    """The hash of a file's content; of a folder, or a file that cannot be read, of its name."""
    from hashlib import sha256

    try:
        with open(file, "rb") as opened:
            return sha256(opened.read()).hexdigest()
    except OSError:
        return sha256(os.path.basename(file.rstrip(os.sep)).encode(errors="backslashreplace")).hexdigest()


def _distribution(place: str, top: str) -> str | None:
    """The folder that tells about the package with the module `top`, by its name or by the list of its files."""
    if place not in _folders:
        _folders[place] = {_plain(f.partition("-")[0]): f for f in sorted(_listed(place)) if f.endswith(_KINDS)}
    known = _folders[place]
    if _plain(top) in known:
        return known[_plain(top)]
    beginnings = (f"{top}/", f"{top}.")
    return next((f for f in known.values() if any(n.startswith(beginnings) for n in _files(place + f))), None)


def _listed(place: str) -> list[str]:
    try:
        return os.listdir(place)
    except OSError:
        return []


def _files(folder: str) -> Iterator[str]:
    names = [name for name in ("RECORD", "SOURCES.txt") if _exists(os.path.join(folder, name))]
    for name in names:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as lines:
            yield from lines


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")
