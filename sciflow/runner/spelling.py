"""Values that an op's code reaches, as text that changes with them: tables of functions, settings, objects.

Functions and classes in them are taken up as code. Of an object of the user's own class, class and state count; of one
of an installed package its class, and the user's functions that it holds.
"""

from __future__ import annotations

import copyreg
import sys
from types import BuiltinFunctionType, FunctionType, MappingProxyType, MethodType, ModuleType

from sciflow.runner.failures import CodecError
from sciflow.runner.installed import file_of, is_own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Protocol

    class Reached(Protocol):
        """Who takes up the code that is found in values."""

        def visit(self, found: Any, name: str) -> None:
            """Take up a function, class or module."""

        def name_of(self, code: Any) -> str:
            """How a function or class is spelled."""

        def installed(self, module: str | None) -> None:
            """Note the version of an installed package."""


_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes})
_SCALARS: tuple[type[Any], ...] = (int, float, complex, str, bytes)
_CONTAINERS: tuple[type[Any], ...] = (list, tuple, set, frozenset, dict)
_TOLD_BY_PICKLE = frozenset({"re", "collections", "operator", "_operator", "fractions", "decimal", "uuid", "types"})
_DEEP = 3  # how far functions are looked for in what is no value


class Spelling:
    """Spells values; what is code in them goes to `reached`."""

    def __init__(self, reached: Reached) -> None:
        self._reached = reached
        self._inside: set[int] = set()  # ids of what is being spelled

    def hash(self, value: object) -> str:
        """The hash of a value as it is now."""
        from hashlib import sha256

        digest = sha256()
        try:
            for text in self.spell(value):
                digest.update(f"{text},".encode(errors="backslashreplace"))
        except RecursionError:
            self._inside.clear()
            digest = sha256(type(value).__qualname__.encode())
        return digest.hexdigest()

    def spell(self, value: Any) -> Iterator[str]:
        """The text of a value, piece by piece."""
        if type(value) in _PLAIN:
            yield f"{type(value).__name__} {value!r}"
        elif isinstance(value, (FunctionType, type, ModuleType)):
            yield from self._code(value)
        elif id(value) in self._inside:
            yield "itself"
        else:
            self._inside.add(id(value))
            yield from self._contents(value) if type(value) in _CONTAINERS else self._object(value)
            self._inside.discard(id(value))

    def reach(self, value: Any, deep: int = _DEEP) -> None:
        """Takes up the user's functions, classes and objects in something that is not spelled itself."""
        if isinstance(value, (FunctionType, type, MethodType)) or _is_own_class(type(value)):
            for _ in self.spell(value):
                pass
        elif deep and isinstance(value, _CONTAINERS):
            for item in list(value.values() if isinstance(value, dict) else value):
                self.reach(item, deep - 1)

    def _contents(self, value: Any) -> Iterator[str]:
        yield f"{type(value).__name__} {len(value)}"
        if isinstance(value, dict):
            for key, item in value.items():
                yield from self.spell(key)
                yield from self.spell(item)
        elif isinstance(value, (set, frozenset)):
            yield from sorted(",".join(self.spell(item)) for item in value)
        elif set(map(type, value)) <= _PLAIN:
            yield repr(value)
        else:
            for item in value:
                yield from self.spell(item)

    def _code(self, code: Any) -> Iterator[str]:
        self._reached.visit(code, "")
        if isinstance(code, ModuleType):
            yield f"module {code.__name__}"
            return
        yield f"code {self._reached.name_of(code)}"
        if isinstance(code, FunctionType) and "<" in code.__qualname__ and is_own(code.__code__.co_filename):
            cells = [cell.cell_contents for cell in code.__closure__ or () if _is_set(cell)]
            yield from self.spell([code.__defaults__, code.__kwdefaults__, cells])

    def _object(self, value: Any) -> Iterator[str]:
        cls = type(value)
        self._reached.visit(cls, "")
        yield f"{cls.__module__}:{cls.__qualname__}"
        behind = _behind(value)
        if behind:
            yield from self._contents(behind)
        elif _is_own_class(cls):
            yield from self._state(value)
        elif isinstance(value, BuiltinFunctionType):
            self._reached.installed(value.__module__)
            yield f"{value.__module__}:{value.__qualname__}"
        else:
            yield from self._foreign(value)

    def _state(self, value: Any) -> Iterator[str]:
        """What an object of the user's own class holds."""
        for base in (*_CONTAINERS, *_SCALARS):
            if isinstance(value, base):
                yield from self.spell(base(value))
        for name, item in _attributes(value):
            yield name
            yield from self.spell(item)

    def _foreign(self, value: Any) -> Iterator[str]:
        """What can be said of an object of a class that is not the user's."""
        from sciflow.runner.codec import encode
        from sciflow.runner.text import dump

        try:
            told = dump(encode(value))
        except (CodecError, TypeError, ValueError):
            told = ""
        if told:
            yield told
            return
        yield str(getattr(type(value), "__name__", "")) + _own_name(value)
        if type(value).__module__ in _TOLD_BY_PICKLE:
            yield from self._pickled(value)
        elif file_of(type(value).__module__.partition(".")[0]) is not None:
            for _, item in _attributes(value):
                self.reach(item)

    def _pickled(self, value: Any) -> Iterator[str]:
        """What an object of the standard library would be made again from."""
        if isinstance(value, MappingProxyType):
            yield from self.spell(dict(value))
            return
        try:
            known = copyreg.dispatch_table.get(type(value))
            told = known(value) if known is not None else value.__reduce_ex__(2)
        except Exception:  # noqa: BLE001  which holds something that cannot be pickled
            return
        if isinstance(told, tuple):
            for part in told[1:3]:
                yield from self.spell(part)
            for items in told[3:5]:
                yield from self.spell(list(items or ()))


def _behind(value: Any) -> list[Any]:
    """What lies behind a callable: the function that a decorator has wrapped, a partial's parts, a method's object."""
    if isinstance(value, BuiltinFunctionType):
        return [value.__self__, value.__name__] if type(value.__self__) in _CONTAINERS else []
    found = [_attribute(value, name) for name in _names_behind(value)]
    return found if any(part is not None for part in found) else []


def _names_behind(value: Any) -> tuple[str, ...]:
    cls = type(value)
    if isinstance(value, MethodType) or cls in (staticmethod, classmethod):
        return ("__func__", "__self__") if _holds_own(value) else ("__func__",)
    if cls is property:
        return "fget", "fset", "fdel"
    if cls.__module__ == "functools" and hasattr(value, "keywords"):
        return "func", "args", "keywords"
    if cls.__module__.partition(".")[0] == "sciflow":
        return "function", "fixed"  # of an op or a workflow
    return ("__wrapped__",)


def _holds_own(method: Any) -> bool:
    """Whether a method's object is the user's: that of `random.random`, say, is another in each process."""
    held = getattr(method, "__self__", None)
    return isinstance(held, type) or _is_own_class(type(held))


def _attribute(value: Any, name: str) -> Any:
    try:
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001  the user's own `__getattr__`
        return None


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """An object's attributes by name, without asking its class."""
    try:
        held = object.__getattribute__(value, "__dict__")
    except AttributeError:
        held = {}
    if isinstance(held, dict):
        yield from list(held.items())
    for cls in type(value).__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            if name not in ("__dict__", "__weakref__"):
                yield name, _attribute(value, name)


def _own_name(value: Any) -> str:
    name = _attribute(value, "__name__")
    return f" {name}" if isinstance(name, str) else ""


def _is_own_class(cls: type) -> bool:
    module = sys.modules.get(cls.__module__)
    return is_own(getattr(module, "__file__", None)) or cls.__module__ == "__main__"


def _is_set(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
