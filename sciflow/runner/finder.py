"""Finds the runner's modules in the likeness of its zip, in the place of Python's own way through the zip.

This is run before any module of ours can be imported, so that it imports none.
"""

from __future__ import annotations

import sys
from marshal import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType
    from typing import Any, Mapping


class Finder:
    """Finds modules below one entry of `sys.path`, and loads them."""

    def __init__(self, runner: str, places: Mapping[str, tuple[int, int]], codes: memoryview) -> None:
        """`places`: in `codes`, of compiled modules by their paths in the zip `runner`: from where, how many bytes."""
        self._runner = runner
        self._places = places
        self._codes = codes

    def find_spec(self, name: str, _target: ModuleType | None = None) -> ModuleSpec | None:
        """Where a module is; None if it is none of ours."""
        path = name.replace(".", "/")
        package = f"{path}/__init__.py" in self._places
        file = f"{path}/__init__.py" if package else f"{path}.py"
        if file not in self._places:
            return None
        spec: ModuleSpec = _SPEC(name, self, origin=f"{self._runner}/{file}", is_package=package)
        if package:
            spec.submodule_search_locations = [f"{self._runner}/{path}"]
        return spec

    def create_module(self, _spec: ModuleSpec) -> ModuleType | None:
        """Python makes it as any other."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's code."""
        if module.__spec__ is not None:
            module.__file__ = module.__spec__.origin
        exec(self.get_code(module.__name__), module.__dict__)  # noqa: S102  our own

    def get_code(self, name: str) -> CodeType:
        """What `exec_module` runs."""
        path = name.replace(".", "/")
        at, size = self._places.get(f"{path}.py") or self._places[f"{path}/__init__.py"]
        code: CodeType = loads(self._codes[at : at + size])  # noqa: S302  our own
        return code


_SPEC: Any = type(sys.__spec__)  # without an import


def install(runner: str, places: Mapping[str, tuple[int, int]], codes: memoryview) -> None:
    """Have modules of the zip found here, which is an entry of `sys.path`."""
    finder = Finder(runner, places, codes)
    for file in places:
        folder, _, name = file.rpartition("/")
        if name == "__init__.py":
            sys.path_importer_cache[f"{runner}/{folder}"] = finder
    sys.path_importer_cache[runner] = finder
