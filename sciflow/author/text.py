"""`text`: text with holes for values that are not known yet."""

from __future__ import annotations

from typing import Any, NoReturn, cast

from sciflow.author.hole import Hole, pieces_of
from sciflow.author.location import user_place
from sciflow.author.reference import Ref
from sciflow.core.expr import Text
from sciflow.core.inference import STR
from sciflow.core.naming import names
from sciflow.errors import InvalidWorkflow, Problem


def text(template: str, /, **values: Any) -> str:
    """`template` with every `{name}` replaced by `str()` of the value of that name; `{{` and `}}` are braces.

    Raises:
        InvalidWorkflow: a hole has no value, a value no hole, or a hole says more than a name.
    """
    pieces = _pieces(template)
    used = {piece.name for piece in pieces if isinstance(piece, Hole)}
    for piece in pieces:
        if isinstance(piece, Hole) and (piece.formatted or piece.name not in values):
            _refuse(template, piece, values)
    unused = [name for name in values if name not in used]
    if unused:
        _raise(
            f"text {template!r} has no hole for {', '.join(unused)}",
            f"a hole {{{unused[0]}}}",
            "none",
            "add the hole, or leave the value out",
        )
    return _filled(pieces, values)


def _filled(pieces: list[str | Hole], values: dict[str, Any]) -> str:
    found = [values[piece.name] if isinstance(piece, Hole) else piece for piece in pieces]
    references = [value for value in found if isinstance(value, Ref)]
    if not references:
        return "".join(map(str, found))
    parts = tuple(value._expr if isinstance(value, Ref) else str(value) for value in found)  # noqa: SLF001
    return cast("str", Ref(Text(parts=parts), STR, references[0]._tracer))  # noqa: SLF001


def _pieces(template: str) -> list[str | Hole]:
    try:
        return pieces_of(template)
    except ValueError as error:
        _raise(
            f"text {template!r} cannot be read: {error}",
            "holes like {name}",
            repr(template),
            "write {{ and }} for braces that are meant",
        )


def _refuse(template: str, hole: Hole, values: dict[str, Any]) -> NoReturn:
    if hole.formatted:
        what = f"a hole of text {template!r} says how to format"
        _raise(what, f"{{{hole.name}}}", hole.formatted, "make the text inside an op")
    what = f"text {template!r} has a hole without a value"
    _raise(what, f"a value for {{{hole.name}}}", names(values), f"give it: text(..., {hole.name or 'x'}=...)")


def _raise(what: str, expected: str, found: str, fix: str) -> NoReturn:
    raise InvalidWorkflow([Problem(where=user_place(), what=what, expected=expected, found=found, fix=fix)])
