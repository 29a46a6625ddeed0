"""Names of classes in trees, `module:Qualname`, and the way back.

A script runs in a worker as module `SCRIPT`, so that its `if __name__ == "__main__"` block stays quiet; in trees its
classes are written with module `__main__`, as the script itself sees them.
"""

from __future__ import annotations

import sys

from sciflow.runner.failures import CodecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Mapping

    Resolver = Callable[[str], Any]

SCRIPT = "__sciflow_main__"


def type_name(cls: type) -> str:
    """`module:Qualname` of a class."""
    module = cls.__module__
    return f"{'__main__' if module == SCRIPT else module}:{cls.__qualname__}"


def bases(cls: type) -> list[str]:
    """The names of the class's ancestors, nearest first, without itself and `object`."""
    return [type_name(base) for base in cls.__mro__[1:] if base is not object]


def import_type(name: str) -> Any:
    """The class of that name, its module imported.

    Raises:
        CodecError: there is none.
    """
    module, _, qualname = name.partition(":")
    try:
        __import__(module)
        found: Any = sys.modules[module]
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, KeyError) as error:
        raise CodecError(f"a value of type {name} cannot be read here: {error}") from error
    return found


def resolver(own: Mapping[str, Any]) -> Resolver:
    """`import_type`, but `__main__` means the namespace `own`, where it has the name.

    What came from a notebook by value lives in no module.
    """

    def resolve(name: str) -> Any:
        module, _, qualname = name.partition(":")
        first, *rest = qualname.split(".")
        if module != "__main__" or first not in own:
            return import_type(name)
        found: Any = own[first]
        for part in rest:
            found = getattr(found, part, None)
        return found if isinstance(found, type) else import_type(name)

    return resolve
