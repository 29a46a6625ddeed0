"""Checks of values against annotations, compiled once per op.

A `Check` answers fast whether a value fits; only when it does not is the wrong element looked for, so that the message
can name its place. An int is a float is a complex, as for a type checker; nothing is converted.
"""

from __future__ import annotations

from sciflow.runner.failures import OpError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable

    Shell = Callable[[Any], bool]
    Part = tuple["Check", Any, str]


class Check:
    """A compiled annotation.

    `ok` tells whether a value fits. `shell` looks at the outermost level only, and `parts` gives what lies inside, with
    the step that leads there, for a value whose shell is right. Of a union, `members` are its alternatives.
    """

    __slots__ = ("expected", "members", "ok", "parts", "shell")

    def __init__(
        self,
        expected: str,
        shell: Shell,
        *,
        ok: Shell | None = None,
        parts: Callable[[Any], Iterable[Part]] | None = None,
        members: tuple[Check, ...] = (),
    ) -> None:
        self.expected = expected
        self.shell = shell
        self.ok = ok or shell
        self.parts = parts
        self.members = members

    def require(self, value: object, where: str) -> None:
        """Do nothing if the value fits.

        Raises:
            OpError: where it does not, what was expected and what was found.
        """
        if not self.ok(value):
            raise OpError(self._mismatch(value, where))

    def _mismatch(self, value: Any, where: str) -> str:
        fitting = [member for member in self.members if member.shell(value)]
        if len(fitting) == 1:
            return fitting[0]._mismatch(value, where)  # noqa: SLF001
        if self.shell(value) and self.parts is not None:
            for check, part, step in self.parts(value):
                if not check.ok(part):
                    return check._mismatch(part, where + step)  # noqa: SLF001
        return f"{where}: expected {self.expected}, found {describe(value)}{_hint(self.expected, value)}"


def describe(value: object) -> str:
    """A value in a few words: its type, and itself where that is short."""
    cls = type(value)
    name = cls.__qualname__ if cls.__module__ in ("builtins", "__main__") else f"{cls.__module__}.{cls.__qualname__}"
    if value is None:
        return "None"
    if isinstance(value, (str, int, float, bytes)):
        try:
            text = repr(value)
        except ValueError:  # an int too long to be written
            text = "..."
        return f"{name} {text if len(text) <= 60 else text[:57] + '...'}"
    if isinstance(value, (list, tuple, dict, set, frozenset)) and type(value) in (list, tuple, dict, set, frozenset):
        return f"{name} of {len(value)}"
    return name


def _hint(expected: str, value: object) -> str:
    """What to do about the commonest mistakes."""
    cls = type(value)
    if cls.__module__ == "numpy" and expected in ("int", "float", "bool", "str", "complex"):
        return f"; give {expected}(...)"
    if cls.__name__ == "ndarray" and expected.startswith("list["):
        return "; give .tolist()"
    if expected == "Path" and isinstance(value, str):
        return "; give Path(...)"
    if cls.__name__ in ("generator", "map", "filter", "zip", "range", "dict_keys", "dict_values", "dict_items"):
        return "; give list(...)"
    if cls.__name__ == "coroutine":
        return "; an async function gives a coroutine, not its result"
    return ""


ANYTHING = Check("anything", lambda _: True)
NONE = Check("None", lambda value: value is None)


def instance(cls: Any, expected: str) -> Check:
    """The check of a class (or tuple of classes) by `isinstance`."""
    return Check(expected, lambda value: isinstance(value, cls))


SCALARS = {
    "bool": instance(bool, "bool"),
    "int": instance(int, "int"),
    "float": instance((float, int), "float"),
    "complex": instance((complex, float, int), "complex"),
    "str": instance(str, "str"),
    "bytes": instance(bytes, "bytes"),
    "list": instance(list, "list"),
    "dict": instance(dict, "dict"),
    "tuple": instance(tuple, "tuple"),
    "set": instance(set, "set"),
    "frozenset": instance(frozenset, "frozenset"),
    "None": NONE,
    "object": ANYTHING,
}


class Signature:
    """What an op takes and gives, as checks."""

    __slots__ = ("inputs", "output", "pickled", "positional")

    def __init__(
        self, *, inputs: dict[str, Check] | None, output: Check, pickled: bool, positional: tuple[str, ...] = ()
    ) -> None:
        """`inputs` is None for an op that takes anything; `positional` parameters cannot be given by name."""
        self.inputs = inputs
        self.output = output
        self.pickled = pickled
        self.positional = positional

    def input(self, name: str) -> Check:
        """The check of a parameter.

        Raises:
            OpError: there is none of that name: the code is not what the workflow was made from.
        """
        if self.inputs is None:
            return ANYTHING
        if name not in self.inputs:
            raise OpError(
                f"input {name}: the function here has no such parameter, only {', '.join(self.inputs) or 'none'}"
            )
        return self.inputs[name]


def signature(function: Any) -> Signature:
    """The checks of a function's parameters and result.

    Raises:
        CodeError: an annotation cannot be resolved.
    """
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    checks, pickled = _simple(function)
    if checks is None:
        from sciflow.runner import annotations

        checks, pickled = annotations.compile_function(function)
    inputs = {name: checks.get(name, ANYTHING) for name in names}
    for name, default in _defaults(function).items():
        if default is None and not inputs[name].ok(None):
            inputs[name] = union((inputs[name], NONE))  # a default is the author's own word
    positional = code.co_varnames[: code.co_posonlyargcount]
    return Signature(inputs=inputs, output=checks.get("return", ANYTHING), pickled=pickled, positional=positional)


def _defaults(function: Any) -> dict[str, object]:
    code = function.__code__
    given = function.__defaults__ or ()
    named = dict(zip(code.co_varnames[code.co_argcount - len(given) : code.co_argcount], given))
    return {**named, **(function.__kwdefaults__ or {})}


def _simple(function: Any) -> tuple[dict[str, Check] | None, bool]:
    """Checks of annotations that are all plain built-in classes, so that `typing` need not be imported."""
    checks = {}
    for name, annotation in getattr(function, "__annotations__", {}).items():
        key = annotation if isinstance(annotation, str) else getattr(annotation, "__qualname__", str(annotation))
        check = SCALARS.get(key)
        if check is None or not _is_builtin(function, annotation, key):
            return None, False
        checks[name] = check
    return checks, False


def _is_builtin(function: Any, annotation: Any, key: str) -> bool:
    if isinstance(annotation, str):
        return key not in function.__globals__
    return annotation is None or (getattr(annotation, "__module__", "") == "builtins" and isinstance(annotation, type))


def union(members: tuple[Check, ...]) -> Check:
    """Fits what one of its members fits."""
    first, *rest = (member.ok for member in members)
    if len(rest) == 1:
        second = rest[0]

        def ok(value: object) -> bool:
            return first(value) or second(value)
    else:

        def ok(value: object) -> bool:
            return any(member.ok(value) for member in members)

    return Check(
        " | ".join(member.expected for member in members),
        lambda value: any(member.shell(value) for member in members),
        ok=ok,
        members=members,
    )
