"""`depends`: what has become of a task as a condition of others, and whether a graph has failed by Argo's rules.

A task that others look at whether it has failed is run as a fan of one slice that may fail: what it gives is then
missing, and nothing else stops. Whether it ran at all is known from conditions alone, so that the output of a task that
did not run is never looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from sciflow.author.argo_file import expression
from sciflow.author.argo_file.expression import Language, Unit, Unreadable
from sciflow.author.argo_file.source import At
from sciflow.core.expr import Call, Const, Expr, Output
from sciflow.core.naming import meant

_PLAIN = ("Succeeded", "Skipped", "Daemoned")
_LOOKS = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted", "AnySucceeded", "AllFailed")


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one task when those after it are looked at."""

    id: str
    runs: tuple[Expr, ...]  # conditions that must hold for it not to be left out
    when: Expr | None
    tolerant: bool  # its failure stops nothing by itself
    forgiven: bool  # its failure counts as success: continueOn
    fan: bool
    before: tuple[str, ...]
    follows: bool  # it runs if all before it have succeeded, and not otherwise


class Depends(msgspec.Struct, frozen=True):
    """A `depends` taken in: the tasks it names, and with which looks; `plain` if it is nothing but "after them"."""

    text: str
    looks: tuple[tuple[str, str], ...]
    plain: bool


def read_depends(at: At, known: Sequence[str]) -> Depends:
    """The tasks that a `depends` names."""
    looks: list[tuple[str, str]] = []

    def words(units: list[Unit]) -> Expr:
        name, _, look = "".join(map(str, units)).partition(".")
        if name not in known:
            raise Unreadable(f"there is no task {name!r}, {meant(name, known)}")
        if look and look not in (*_LOOKS, "Daemoned"):
            raise Unreadable(f"{look!r} is none of {', '.join(_LOOKS)}")
        looks.append((name, look))
        return Const(value=True)

    text = at.text()
    try:
        expression.read(list(text), _language(words))
    except Unreadable as error:
        at.say(f"cannot be read: {error}", expected="a && (b.Failed || c)", found=text, fix="correct it")
        return Depends("", (), plain=True)
    plain = not {"|", "!"} & set(text) and all(look in ("", *_PLAIN) for _, look in looks)
    return Depends(text, tuple(looks), plain=plain and not any(look == "Skipped" for _, look in looks))


def _language(words: expression.Words) -> Language:
    def calls(name: str, _: tuple[Expr, ...]) -> Expr:
        raise Unreadable(f"{name}(...) is not known")

    return Language(words=words, calls=calls, marks="-.")


def conditions(depends: Depends | None, before: Sequence[str], standings: Mapping[str, Standing]) -> tuple[Expr, ...]:
    """What must hold for a task not to be left out, besides that nothing it needs has failed by itself."""
    if depends is None or depends.plain:
        looks = depends.looks if depends is not None else tuple((name, "") for name in before)
        return _unique(part for name, look in looks for part in _after(standings[name], look))

    def words(units: list[Unit]) -> Expr:
        name, _, look = "".join(map(str, units)).partition(".")
        return all_of(_after(standings[name], look)) if look in ("", "Daemoned") else _looked(standings[name], look)

    return _unique([expression.read(list(depends.text), _language(words))])


def _after(task: Standing, look: str) -> tuple[Expr, ...]:
    """The parts of `a`, which is a.Succeeded || a.Skipped, or with continueOn a.Failed as well."""
    if look == "Succeeded" and task.when is not None:
        return (*task.runs, task.when, *_not_failed(task))
    if not task.tolerant or task.forgiven:
        return task.runs
    if task.when is None:
        return (*task.runs, *_not_failed(task))
    succeeded = all_of((task.when, *_not_failed(task)))
    return (*task.runs, Call(function="or", args=(_not(task.when), succeeded)))


def _looked(task: Standing, look: str) -> Expr:
    ran = (*task.runs, *(() if task.when is None else (task.when,)))
    match look:
        case "Succeeded":
            return all_of((*ran, *_not_failed(task)))
        case "Failed" | "Errored":
            return all_of((*ran, failed(task)))
        case "Skipped":
            return Const(value=False) if task.when is None else all_of((*task.runs, _not(task.when)))
        case "Omitted":
            return _not(all_of(task.runs)) if task.runs else Const(value=False)
        case "AnySucceeded":
            return all_of((*ran, Call(function="gt", args=(_count(task), Const(value=0)))))
        case _:
            return all_of((*ran, Call(function="eq", args=(_count(task), Const(value=0)))))


def _not_failed(task: Standing) -> tuple[Expr, ...]:
    return (_not(failed(task)),) if task.tolerant else ()


def failed(task: Standing) -> Expr:
    """That a task which ran, and which may fail, has failed: some of what it gives is missing."""
    return Call(function="lt", args=(_count(task), Call(function="len", args=(Output(node=task.id),))))


def _count(task: Standing) -> Expr:
    return Call(function="len", args=(Call(function="present", args=(Output(node=task.id),)),))


def verdict(standings: Mapping[str, Standing]) -> Expr | None:
    """That a last task was left out because of a failure that nobody forgave; None if that cannot be."""
    needed = {name for task in standings.values() for name in task.before}
    bad: dict[str, tuple[Expr, ...]] = {}
    for name, task in standings.items():  # in an order in which a task comes after those it needs
        bad[name] = _bad(task, _unique(part for one in task.before for part in bad[one]))
    return _any_of(_unique(part for name in standings if name not in needed for part in bad[name]))


def _bad(task: Standing, inherited: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """That the branch which ends with a task has failed, though the task itself has not by itself: any of these."""
    own: Expr | None = failed(task) if task.tolerant and not task.forgiven else None
    if own is not None and task.when is not None:
        own = all_of((task.when, own))
    if own is None and task.follows:
        return inherited  # none of them holds if it ran
    if not task.runs:
        return () if own is None else (own,)
    no = Const(value=False)
    return (Call(function="choose", args=(all_of(task.runs), own or no, _any_of(inherited) or no)),)


def all_of(parts: Sequence[Expr]) -> Expr:
    """That all hold."""
    found: Expr | None = None
    for part in parts:
        found = part if found is None else Call(function="and", args=(found, part))
    return Const(value=True) if found is None else found


def _any_of(parts: Sequence[Expr]) -> Expr | None:
    found: Expr | None = None
    for part in parts:
        found = part if found is None else Call(function="or", args=(found, part))
    return found


def _not(expr: Expr) -> Expr:
    return Call(function="not", args=(expr,))


def _unique(parts: Iterable[Expr]) -> tuple[Expr, ...]:
    found: list[Expr] = []
    for part in parts:
        if part not in found:
            found.append(part)
    return tuple(found)
