"""The rules for names and keys: what a file system and Argo both carry. Pure."""

from __future__ import annotations

from sciflow.core.checking import Checker
from sciflow.core.expr import Const, Index, Item, Text, leaves
from sciflow.core.graph import Node
from sciflow.core.ports import NUMBERS
from sciflow.core.spelling import spelled

_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._=-")
_HOLES = frozenset({*NUMBERS[:3], "str", "any", "literal"})  # types whose values may be in a key
KEY_RULE = "letters, digits, . _ = - (a letter or digit first, at most 200)"


def is_key(text: str) -> bool:
    """Whether `text` may be a task's key."""
    return 0 < len(text) <= 200 and text[0] not in "._=-" and _CHARACTERS.issuperset(text)


def check_id(node: Node, checker: Checker) -> None:
    """A node's id is a name, with a number behind it where there are several."""
    name, dash, number = node.id.partition("-")
    if not (node.id.isascii() and name.isidentifier() and number.isdigit() is bool(dash)):
        fix = "write it with letters, digits and underscores, a letter first"
        checker.say(
            f"{node.id!r} cannot be a node's name", expected="a name such as relax, or relax-2", found=node.id, fix=fix
        )


def check_key(node: Node, checker: Checker, seen: dict[str, str]) -> None:
    """A key has legal characters and, as far as is known now, names one task only; `seen` are those before."""
    match node.key:
        case None:
            return
        case Const(value=str(text)):
            _check_constant(text, node, checker, seen)
        case Text():
            _check_parts(node.key, checker)
        case key if (found := checker.type_of(key)).name not in {"str", "any"}:
            checker.say(
                "a key is text", expected="str", found=f"{spelled(key)}: {found}", fix='write key=text("{x}", x=...)'
            )
    if node.fan is not None and not any(isinstance(leaf, (Index, Item)) for leaf in leaves(node.key)):
        fix = f'add a hole: key="{_example(node)}-{{item}}"'
        checker.say(
            f"all slices of {node.id} would have the same key",
            expected="a hole that differs between slices",
            found=spelled(node.key),
            fix=fix,
        )


def _example(node: Node) -> str:
    return node.key.value if isinstance(node.key, Const) and isinstance(node.key.value, str) else node.template


def _check_constant(text: str, node: Node, checker: Checker, seen: dict[str, str]) -> None:
    if not is_key(text):
        checker.say(
            f"{text!r} cannot be a key", expected=KEY_RULE, found=_offence(text), fix=f"write key={_mended(text)!r}"
        )
    elif text in seen and node.fan is None:
        checker.say(
            f"key {text!r} is given twice",
            expected="a key of its own for every task",
            found=f"the same at {seen[text]}",
            fix="change one of them, or put a hole into it",
        )
    seen.setdefault(text, node.where or node.id)


def _offence(text: str) -> str:
    bad = sorted(set(text) - _CHARACTERS)
    if bad:
        return f"the character{'s' if len(bad) > 1 else ''} {', '.join(map(repr, bad))}"
    if not text:
        return "an empty text"
    return f"{len(text)} characters" if len(text) > 200 else f"{text[0]!r} in front"


def _mended(text: str) -> str:
    import re

    return re.sub(r"[^A-Za-z0-9._=-]+", "-", text).strip("-._=")[:200] or "key"


def _check_parts(text: Text, checker: Checker) -> None:
    fixed = "".join(p for p in text.parts if isinstance(p, str))
    if not _CHARACTERS.issuperset(fixed):
        checker.say(
            f"a key cannot hold {_offence(fixed).removeprefix('the ')}",
            expected=KEY_RULE,
            found=spelled(text),
            fix="leave it out, or write - in its place",
        )
    for part in text.holes:
        found = checker.type_of(part)
        if found.name not in _HOLES:
            checker.say(
                f"a hole of a key cannot be {spelled(part)}",
                expected="text or a number",
                found=str(found),
                fix="use {item}, or an input that is text or a number",
            )
