"""The user's own modules that a module needs, found by reading imports; nothing is imported."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from sciflow.runner.installed import is_own

SHIPPED = "sciflow_ops"  # goes along wherever it is installed: a node has nothing of ours
PROVIDED = "sciflow"  # comes with the runner
SKIPPED = frozenset({"__pycache__", "node_modules"})
RUN, ENVIRONMENT = "run.db", "pyvenv.cfg"  # a folder with one of these is a run, or somebody's installation


class OwnModules:
    """Modules found so far, and what they consist of."""

    def __init__(self, sys_path: Sequence[str]) -> None:
        self._entries = [os.path.abspath(entry) for entry in sys_path if os.path.isdir(entry)]
        self._files: dict[str, str] = {}  # path below an entry -> file
        self._followed: set[str] = set()

    def files(self) -> dict[str, str]:
        """Files by their paths below the entry of `sys_path` in which they lie."""
        return self._files

    def follow_script(self, path: str) -> None:
        """Take what a script imports; not the script itself."""
        self._follow_imports(path, package="")

    def follow(self, module: str) -> None:
        """Take a module, if it is the user's own, and all that it imports."""
        top = module.partition(".")[0]
        if top == PROVIDED or module in self._followed:
            return
        self._followed.add(module)
        entry = self._entry_of(top)
        if entry is None:
            return
        path = f"{entry}/{top}"
        if os.path.isfile(f"{path}/__init__.py"):
            if top not in self._followed or module == top:
                self._followed.add(top)
                self._take_package(entry, top)
        elif os.path.isfile(f"{path}.py"):
            self._take(entry, f"{top}.py", package="")
        else:
            self._take_in_namespace(entry, module)

    def _entry_of(self, top: str) -> str | None:
        """The folder in which an outermost module lies, if it is the user's own."""
        namespace = None
        for entry in self._entries:
            path = f"{entry}/{top}"
            if os.path.isfile(f"{path}/__init__.py") or os.path.isfile(f"{path}.py"):
                return entry if is_own(f"{path}/") or top == SHIPPED else None
            if namespace is None and os.path.isdir(path) and is_own(f"{path}/"):
                namespace = entry
        return namespace or self._elsewhere(top)

    def _elsewhere(self, top: str) -> str | None:
        """As `_entry_of`, of a package that is installed for development by a hook."""
        try:
            spec = find_spec(top)
        except (ImportError, ValueError, AttributeError):
            return None
        if spec is None or not spec.has_location or spec.origin is None:
            return None
        file = Path(spec.origin)
        if not is_own(spec.origin) and top != SHIPPED:
            return None
        return str(file.parents[1] if file.name == "__init__.py" else file.parent)

    def _take_in_namespace(self, entry: str, module: str) -> None:
        """Of a folder without `__init__.py`, which may hold anything, only what is named."""
        parts = module.split(".")
        for depth in range(1, len(parts)):
            inner = "/".join(parts[: depth + 1])
            if os.path.isfile(f"{entry}/{inner}/__init__.py"):
                self._take_package(entry, inner)
                return
            if os.path.isfile(f"{entry}/{inner}.py"):
                self._take(entry, f"{inner}.py", package=".".join(parts[:depth]))
                return

    def _take_package(self, entry: str, folder: str) -> None:
        for relative in _walk(entry, folder, set()):
            self._take(entry, relative, package=os.path.dirname(relative).replace("/", "."))

    def _take(self, entry: str, relative: str, *, package: str) -> None:
        if relative in self._files:
            return
        file = f"{entry}/{relative}"
        self._files[relative] = file
        if relative.endswith(".py"):
            self._follow_imports(file, package=package)

    def _follow_imports(self, file: str, *, package: str) -> None:
        try:
            tree = ast.parse(Path(file).read_bytes(), file)
        except (OSError, SyntaxError, ValueError):  # whoever imports it will be told
            return
        for module in _imported(tree, package):
            self.follow(module)


def _walk(entry: str, folder: str, above: set[str]) -> Iterator[str]:
    """The files of a package, sorted, below its entry of `sys_path`; a link leads into each folder once."""
    real = os.path.realpath(f"{entry}/{folder}")
    if real in above:
        return
    found = sorted(os.scandir(f"{entry}/{folder}"), key=lambda item: item.name)
    if any(item.name in (RUN, ENVIRONMENT) for item in found):
        return
    for item in found:
        if item.name.startswith(".") or item.name in SKIPPED or item.name.endswith(".pyc"):
            continue
        if item.is_dir():
            yield from _walk(entry, f"{folder}/{item.name}", above | {real})
        elif item.is_file():
            yield f"{folder}/{item.name}"


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    """The names of modules that a module's source imports, wherever in it."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                parts = package.split(".") if level else []
                base = ".".join([*parts[: len(parts) - level + 1], *([module] if module else [])])
                if base:
                    yield base
                    yield from (f"{base}.{alias.name}" for alias in names)
            case _:
                continue
