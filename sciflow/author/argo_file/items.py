"""What a step or task is run over: `withItems`, `withParam`, `withSequence`."""

from __future__ import annotations

import re

import msgspec

from sciflow.author.argo_file import fields
from sciflow.author.argo_file.fields import check
from sciflow.author.argo_file.interface import has_tags
from sciflow.author.argo_file.rewriting import worked_out
from sciflow.author.argo_file.scope import Scope
from sciflow.author.argo_file.source import At
from sciflow.core.expr import Build, Call, Const, Expr

_FORMAT = re.compile(r"(?:[^%]|%%)*%[0-9+-]*[dxXo](?:[^%]|%%)*")


class Items(msgspec.Struct, frozen=True):
    """A list of values, and its elements where these are known one by one."""

    whole: Expr
    elements: tuple[Expr, ...] | None = None


def items_of(task: At, scope: Scope) -> Items | None:
    """What a task is run over; None if it is run once."""
    found = [name for name in ("withItems", "withParam", "withSequence") if task.get(name) is not None]
    if len(found) > 1:
        task.say("is run over one list", expected="withItems, withParam or withSequence", found=" and ".join(found))
    match found[:1]:
        case ["withItems"]:
            elements = tuple(_lifted(one, scope) for one in task.list("withItems"))
            return Items(worked_out(Build(kind="list", parts=elements)), elements)
        case ["withParam"]:
            return Items(worked_out(Call(function="json_list", args=(scope.text(task.get("withParam")),))))
        case ["withSequence"]:
            sequence = task.get("withSequence")
            assert sequence is not None
            check(sequence, fields.SEQUENCE, "withSequence")
            return _sequence(sequence, scope)
        case _:
            return None


def _lifted(at: At, scope: Scope) -> Expr:
    match at.data:
        case dict() if has_tags(at):
            parts = tuple(_lifted(one, scope) for one in at.data.values())
            return Build(kind="dict", keys=tuple(at.data), parts=parts)
        case list() if has_tags(at):
            return Build(kind="list", parts=tuple(_lifted(one, scope) for one in at.data))
        case str():
            return scope.text(at)
        case _:
            return Const(value=at.plain())


def _sequence(at: At, scope: Scope) -> Items:
    start = _whole(at, "start", scope) if at.get("start") is not None else Const(value=0)
    one = Const(value=1)
    if at.get("end") is not None:
        end = _whole(at, "end", scope)
        upwards = Call(function="range", args=(start, Call(function="add", args=(end, one))))
        down = Call(function="range", args=(start, Call(function="sub", args=(end, one)), Const(value=-1)))
        numbers: Expr = Call(function="choose", args=(Call(function="le", args=(start, end)), upwards, down))
    elif at.get("count") is not None:
        count = _whole(at, "count", scope)
        numbers = Call(function="range", args=(start, Call(function="add", args=(start, count))))
    else:
        at.say("does not say how far it goes", expected="count or end", found="neither", fix="add count")
        return Items(Const(value=[]), ())
    return _formatted(at, worked_out(Call(function="plains", args=(numbers,))))


def _whole(at: At, name: str, scope: Scope) -> Expr:
    return worked_out(Call(function="scalar", args=(scope.text(at.get(name)),)))


def _formatted(at: At, texts: Expr) -> Items:
    form = at.text("format")
    match texts:
        case Const(value=list(known)):
            if form and _FORMAT.fullmatch(form) is None:
                at.say("this format is not known here", expected="one %d, %x, %X or %o", found=form, fix="use %02d")
                form = ""
            known = [form % int(text) for text in known] if form else known
            return Items(Const(value=known), tuple(Const(value=text) for text in known))
        case _ if form:
            at.say("a format needs numbers that are written out", found=form, fix="leave format out")
    return Items(texts)
