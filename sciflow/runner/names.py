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


def resolver(own: Mapping[str, Any], annotations: Mapping[str, Any] | None = None) -> Resolver:
    """`import_type`, but `__main__` means the namespace `own`, or a class that the function's annotations lead to.

    What came from a notebook by value lives in no module, and brings only the names that its code uses.
    """

    def resolve(name: str) -> Any:
        module, _, qualname = name.partition(":")
        first, *rest = qualname.split(".")
        if module != "__main__":
            return import_type(name)
        found: Any = own.get(first) or _annotated(annotations or {}).get(first)
        for part in rest:
            found = getattr(found, part, None)
        return found if isinstance(found, type) else import_type(name)

    return resolve


def _annotated(annotations: Mapping[str, Any]) -> dict[str, Any]:
    """Classes of `__main__` in annotations, and in the annotations of their fields, by name."""
    found: dict[str, Any] = {}
    todo = list(annotations.values())
    while todo:
        hint = todo.pop()
        todo += getattr(hint, "__args__", ())
        if hasattr(type(hint), "__members__"):  # a member of an enum, in a Literal
            todo.append(type(hint))
        if isinstance(hint, type) and hint.__module__ == "__main__" and hint.__qualname__ not in found:
            found[hint.__qualname__] = hint
            todo += [part for base in hint.__mro__ for part in vars(base).get("__annotations__", {}).values()]
    return found
