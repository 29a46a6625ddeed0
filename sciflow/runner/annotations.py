"""Annotations compiled to checks: generics, unions, literals, records, as `typing` spells them.

Imported only for an op whose annotations are more than plain built-in classes.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import sys
import types
import typing
from enum import Enum
from pathlib import PurePath
from typing import Any

from sciflow.runner.failures import CodeError
from sciflow.runner.pickled import PICKLED
from sciflow.runner.types import ANYTHING, NONE, SCALARS, Check, instance, union

_UNIONS = {typing.Union, getattr(types, "UnionType", typing.Union)}
_SEQUENCES = (
    list,
    collections.abc.Sequence,
    collections.abc.Collection,
    collections.abc.Iterable,
    collections.abc.MutableSequence,
)
_SETS = (set, frozenset, collections.abc.Set, collections.abc.MutableSet)
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_BY_CLASS: dict[Any, Check] = {
    cls: SCALARS[cls.__name__]
    for cls in (bool, int, float, complex, str, bytes, list, dict, tuple, set, frozenset, object)
}


def compile_function(function: Any) -> tuple[dict[str, Check], bool]:
    """The checks of a function's annotations by name, and whether any of them says `Pickled`.

    Raises:
        CodeError: a name in an annotation is not defined where the function stands.
    """
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise CodeError(
            f"an annotation of {function.__qualname__} cannot be resolved: {error}; import the name at the top of the "
            "module, outside `if TYPE_CHECKING`"
        ) from error
    compiler = Compiler()
    return {name: compiler.check(hint) for name, hint in hints.items()}, compiler.pickled


class Compiler:
    """Compiles annotations; remembers records, since they may hold themselves."""

    def __init__(self) -> None:
        self.pickled = False
        self._records: dict[Any, Check] = {}
        self._bound: dict[Any, Check] = {}  # what the parameters of the generic class that is being read stand for

    def check(self, hint: Any) -> Check:
        """The check of one annotation."""
        if hint is None or hint is type(None):
            return NONE
        if hint is typing.Any:  # since Python 3.11 a class, which takes no isinstance
            return ANYTHING
        if isinstance(hint, typing.TypeVar):
            return self._parameter(hint)
        if hasattr(hint, "__supertype__"):  # NewType
            return self.check(hint.__supertype__)
        if type(hint).__name__ == "TypeAliasType":
            return self.check(hint.__value__)
        origin = typing.get_origin(hint)
        if origin is not None:
            return self._generic(hint, origin, typing.get_args(hint))
        return self._class(hint) if isinstance(hint, type) else ANYTHING

    def _parameter(self, hint: typing.TypeVar) -> Check:
        """What a type variable stands for, and if nothing says it what it is bound by."""
        if hint in self._bound:
            return self._bound[hint]
        return self.check(hint.__bound__) if hint.__bound__ is not None else ANYTHING

    def _generic(self, hint: Any, origin: Any, args: tuple[Any, ...]) -> Check:
        if origin is typing.Annotated:
            self.pickled = self.pickled or PICKLED in hint.__metadata__
            return self.check(args[0])
        if origin in _UNIONS:
            return union(tuple(map(self.check, args)))
        if origin is typing.Literal:
            return _literal(args)
        if type(origin).__name__ == "TypeAliasType":  # a generic alias: its parameters are taken as anything
            return self.check(origin.__value__)
        if getattr(origin, "__name__", "") in ("Required", "NotRequired", "ReadOnly", "Final", "ClassVar"):
            return self.check(args[0])
        if not isinstance(origin, type):
            return ANYTHING
        return self._container(origin, args)

    def _container(self, origin: type, args: tuple[Any, ...]) -> Check:
        if origin is tuple:
            return self._tuple(args)
        if origin in _SEQUENCES:
            return _list(origin, self.check(args[0]))
        if origin in _SETS:
            return _set(origin, self.check(args[0]))
        if origin in _MAPPINGS:
            return _dict(origin, self.check(args[0]), self.check(args[1]))
        if origin.__module__ == "numpy" and origin.__name__ == "ndarray":
            return _array(origin, args)
        if _is_record(origin) or _is_typed_dict(origin):
            return self._class(origin, tuple(map(self.check, args)))
        return instance(origin, _name(origin))

    def _tuple(self, args: tuple[Any, ...]) -> Check:
        if len(args) == 2 and args[1] is Ellipsis:
            return _list(tuple, self.check(args[0]))
        if args == ((),):  # Python 3.9 spells tuple[()] so
            args = ()
        return _tuple(tuple(map(self.check, args)))

    def _class(self, cls: type, args: tuple[Check, ...] = ()) -> Check:
        known = _BY_CLASS.get(cls)
        if known is not None:
            return known
        if issubclass(cls, PurePath):
            return instance(cls, cls.__name__)
        if _is_typed_dict(cls):
            return self._record(cls, dict, args)
        if _is_record(cls):
            return self._record(cls, cls, args)
        if getattr(cls, "_is_protocol", False) and not getattr(cls, "_is_runtime_protocol", False):
            return ANYTHING
        return instance(cls, _name(cls))

    def _record(self, cls: Any, base: type, args: tuple[Check, ...]) -> Check:
        """A check that is put into the table before its fields are compiled, so that they may refer to it."""
        known = (cls, args)
        if known in self._records:
            made = self._records[known]
            return Check(made.expected, made.shell, ok=_later(made, "ok"), parts=_later(made, "parts"))
        told = f"[{', '.join(check.expected for check in args)}]" if args else ""
        made = self._records[known] = instance(base, _name(cls) + told)
        try:
            hints = typing.get_type_hints(cls, include_extras=True)
        except (NameError, TypeError):  # its own annotations need not be resolvable: then only the class counts
            return made
        outer, self._bound = self._bound, dict(zip(getattr(cls, "__parameters__", ()), args))
        _fill_typed_dict(made, cls, hints, self) if base is dict else _fill_record(made, cls, hints, self)
        self._bound = outer
        return made


def _later(check: Check, name: str) -> Any:
    """A part of a check that is still being made."""
    return lambda value: getattr(check, name)(value) if getattr(check, name) else ()


def _is_typed_dict(cls: Any) -> bool:
    return typing.is_typeddict(cls) if sys.version_info >= (3, 10) else hasattr(cls, "__total__")


def _is_record(cls: type) -> bool:
    return dataclasses.is_dataclass(cls) or (issubclass(cls, tuple) and hasattr(cls, "_fields"))


def _name(cls: type) -> str:
    return (
        cls.__qualname__
        if cls.__module__ in ("builtins", "__main__") or issubclass(cls, Enum)
        else f"{cls.__module__}.{cls.__qualname__}"
    )


def _fill_record(made: Check, cls: Any, hints: dict[str, Any], compiler: Compiler) -> None:
    names = cls._fields if hasattr(cls, "_fields") else [field.name for field in dataclasses.fields(cls)]
    checks = {name: compiler.check(hints[name]) for name in names if name in hints}
    oks = tuple((name, check.ok) for name, check in checks.items())
    shell = made.shell

    def ok(value: Any) -> bool:
        return shell(value) and all(accepts(getattr(value, name)) for name, accepts in oks)

    made.ok = ok
    made.parts = lambda value: ((check, getattr(value, name), f".{name}") for name, check in checks.items())


def _fill_typed_dict(made: Check, cls: Any, hints: dict[str, Any], compiler: Compiler) -> None:
    checks = {name: compiler.check(hint) for name, hint in hints.items()}
    required = frozenset(cls.__required_keys__)
    known = frozenset(checks)
    made.expected = f"{_name(cls)} (keys {', '.join(sorted(required)) or 'none required'})"

    def shell(value: Any) -> bool:
        return isinstance(value, dict) and required <= value.keys() <= known

    made.shell = shell
    made.ok = lambda value: shell(value) and all(checks[name].ok(part) for name, part in value.items())
    made.parts = lambda value: ((checks[name], part, f"[{name!r}]") for name, part in value.items())


def _list(origin: type, item: Check) -> Check:
    name = "list" if origin is collections.abc.Iterable else origin.__name__
    expected = f"tuple[{item.expected}, ...]" if origin is tuple else f"{name}[{item.expected}]"
    accepts = item.ok

    def shell(value: Any) -> bool:
        # an iterator would be used up by looking at it, and text is a sequence of texts by accident
        return isinstance(value, origin) and hasattr(value, "__len__") and not isinstance(value, (str, bytes))

    return Check(
        expected,
        shell,
        ok=lambda value: shell(value) and all(map(accepts, value)),
        parts=lambda value: ((item, part, f"[{n}]") for n, part in enumerate(value)),
    )


def _set(origin: type, item: Check) -> Check:
    accepts = item.ok

    def shell(value: Any) -> bool:
        return isinstance(value, origin)

    return Check(
        f"{origin.__name__}[{item.expected}]",
        shell,
        ok=lambda value: shell(value) and all(map(accepts, value)),
        parts=lambda value: ((item, part, " (an element)") for part in value),
    )


def _dict(origin: type, key: Check, value_: Check) -> Check:
    def shell(value: Any) -> bool:
        return isinstance(value, origin)

    def parts(value: Any) -> Any:
        for name, part in value.items():
            yield key, name, f" (the key {name!r:.40})"
            yield value_, part, f"[{name!r:.40}]"

    return Check(
        f"{origin.__name__}[{key.expected}, {value_.expected}]",
        shell,
        ok=lambda value: shell(value) and all(map(key.ok, value)) and all(map(value_.ok, value.values())),
        parts=parts,
    )


def _tuple(items: tuple[Check, ...]) -> Check:
    count = len(items)
    text = ", ".join(item.expected for item in items) or "()"

    def shell(value: Any) -> bool:
        return isinstance(value, tuple) and len(value) == count

    return Check(
        f"tuple[{text}]",
        shell,
        ok=lambda value: shell(value) and all(item.ok(part) for item, part in zip(items, value)),
        parts=lambda value: ((item, part, f"[{n}]") for n, (item, part) in enumerate(zip(items, value))),
    )


def _literal(values: tuple[Any, ...]) -> Check:
    allowed = {(type(value), value) for value in values}

    def shell(value: Any) -> bool:
        try:
            return (type(value), value) in allowed
        except TypeError:  # not hashable
            return False

    return Check(f"one of {', '.join(map(repr, values))}", shell)


def _array(origin: Any, args: tuple[Any, ...]) -> Check:
    """`NDArray[numpy.float64]` is `ndarray[shape, dtype[float64]]`; only the dtype is looked at."""
    scalar = (typing.get_args(args[1]) or (None,))[0] if len(args) > 1 else None
    if not isinstance(scalar, type):
        return instance(origin, "numpy.ndarray")
    return Check(
        f"array of {scalar.__name__}", lambda value: isinstance(value, origin) and issubclass(value.dtype.type, scalar)
    )
