"""What an op that is sent by value takes along from the notebook it was written in.

That are the classes of its types, also where annotations are text, and the source of its lines, for tracebacks.
"""

from __future__ import annotations

import dis
import linecache
import os
import typing
from types import CodeType, FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Collection, Iterator, Mapping, Sequence

_OWN = "__main__"


def resolve_types(function: Any) -> None:
    """Put classes in the place of text in the annotations of the notebook's classes that a function's types lead to.

    A class is sent with its annotations, and text would name what is not there where it arrives.
    """
    seen: set[Any] = set()
    todo = list(getattr(function, "__annotations__", {}).values())
    while todo:
        hint = todo.pop()
        todo += getattr(hint, "__args__", ())
        if not isinstance(hint, type) or hint.__module__ != _OWN or hint in seen:
            continue
        seen.add(hint)
        todo += hint.__bases__
        own = vars(hint).get("__annotations__", {})
        try:
            hints = typing.get_type_hints(hint, include_extras=True)
        except (
            NameError,
            TypeError,
            AttributeError,
            SyntaxError,
        ):  # it need not be possible: then only the class counts
            continue
        hint.__annotations__ = {name: hints.get(name, written) for name, written in own.items()}
        todo += hint.__annotations__.values()


def sources(function: Any) -> dict[str, str]:
    """The lines of a function and of what it uses of the notebook, each cell's as a text by the cell's file name.

    The cell's other lines are left empty: a password may stand in one.
    """
    wanted: dict[str, set[int]] = {}
    seen: set[int] = set()
    todo = [function]
    while todo:
        item = todo.pop()
        item = getattr(item, "function", item)  # of an op
        if id(item) in seen or getattr(item, "__module__", None) != _OWN:
            continue
        seen.add(id(item))
        todo += _used(item)
        if isinstance(item, FunctionType) and not os.path.exists(item.__code__.co_filename):
            wanted.setdefault(item.__code__.co_filename, set()).update(_lines(item.__code__))
    cells = {file: linecache.getlines(file) for file in wanted}
    return {file: _only(wanted[file], lines) for file, lines in cells.items() if lines}


def _only(wanted: Collection[int], lines: Sequence[str]) -> str:
    return "".join(line if number in wanted else "\n" for number, line in enumerate(lines, 1))


def _lines(code: CodeType) -> range:
    """The numbers of a function's lines."""
    inner = [_lines(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    starts = [line or 0 for _, line in dis.findlinestarts(code)]  # None where an instruction stands in no line
    return range(code.co_firstlineno, max([*starts, *(lines[-1] for lines in inner), code.co_firstlineno]) + 1)


def _used(item: Any) -> list[Any]:
    if isinstance(item, FunctionType):
        scope = item.__globals__
        return [scope[name] for name in _names(item.__code__) if name in scope]
    return list(vars(item).values()) if isinstance(item, type) else []


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def remember(texts: Mapping[str, str]) -> None:
    """Let tracebacks find the lines of cells here."""
    for file, text in texts.items():
        # without a date it is not looked for on the disk
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
