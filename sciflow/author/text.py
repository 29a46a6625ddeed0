"""`text`: text with holes for values that are not known yet."""

from __future__ import annotations

from string import Formatter
from typing import Any, NoReturn, cast

from sciflow.author.location import user_place
from sciflow.author.reference import Ref
from sciflow.core.expr import Expr, Text
from sciflow.core.inference import STR
from sciflow.core.naming import names
from sciflow.errors import InvalidWorkflow, Problem


def text(template: str, /, **values: Any) -> str:
    """`template` with every `{name}` replaced by `str()` of the value of that name; `{{` and `}}` are braces.

    Raises:
        InvalidWorkflow: a hole has no value, a value no hole, or a hole says more than a name.
    """
    parts: list[str | Expr] = []
    used = set()
    for literal, name, spec, conversion in _pieces(template):
        if literal:
            parts.append(literal)
        if name is None:
            continue
        if spec or conversion or name not in values:
            _refuse(template, name, values, spec=spec or conversion)
        used.add(name)
        value = values[name]
        parts.append(value._expr if isinstance(value, Ref) else str(value))  # noqa: SLF001
    unused = [name for name in values if name not in used]
    if unused:
        _raise(
            f"text {template!r} has no hole for {', '.join(unused)}",
            f"a hole {{{unused[0]}}}",
            "none",
            "add the hole, or leave the value out",
        )
    if all(isinstance(p, str) for p in parts):
        return "".join(cast("list[str]", parts))
    tracer = next(v._tracer for v in values.values() if isinstance(v, Ref))  # noqa: SLF001
    return cast("str", Ref(Text(parts=tuple(parts)), STR, tracer))


def _pieces(template: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(Formatter().parse(template))
    except ValueError as error:
        _raise(
            f"text {template!r} cannot be read: {error}",
            "holes like {name}",
            repr(template),
            "write {{ and }} for braces that are meant",
        )


def _refuse(template: str, name: str, values: dict[str, Any], *, spec: str | None) -> NoReturn:
    if spec:
        _raise(f"a hole of text {template!r} says how to format", f"{{{name}}}", spec, "make the text inside an op")
    what = f"text {template!r} has a hole without a value"
    _raise(what, f"a value for {{{name}}}", names(values), f"give it: text(..., {name or 'x'}=...)")


def _raise(what: str, expected: str, found: str, fix: str) -> NoReturn:
    raise InvalidWorkflow([Problem(where=user_place(), what=what, expected=expected, found=found, fix=fix)])
