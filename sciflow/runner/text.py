"""JSON text of trees: the shortest way to and from it.

The `json` package costs 10 ms to import (it compiles regular expressions), a third of a worker's start, so its C parts
are taken directly where they exist. Trees hold finite numbers only, so that any JSON reader takes the text.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    Tree = Any


class _Reading:
    """What the C scanner asks of its caller: plain JSON, duplicates and constants as in `json.loads`."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int

    def __init__(self) -> None:
        self.memo: dict[str, str] = {}

    @staticmethod
    def parse_constant(name: str) -> float:
        """`NaN` and the infinities are no JSON."""
        raise ValueError(f"{name} is no JSON")


def _refuse(value: object) -> object:
    raise TypeError(f"a tree holds no {type(value).__name__}")


def _from_c() -> tuple[Callable[[str, int], tuple[Tree, int]], Callable[[Tree, int], Any], Callable[[str], str]]:
    import _json

    quote = _json.encode_basestring
    encoder = _json.make_encoder(None, _refuse, quote, None, ":", ",", False, False, False)
    reading: Any = _Reading()
    return _json.make_scanner(reading), encoder, quote


def _from_package() -> tuple[Callable[[str, int], tuple[Tree, int]], Callable[[Tree, int], Any], Callable[[str], str]]:
    import json

    encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_refuse)
    return json.JSONDecoder().raw_decode, lambda tree, _level: (encoder.encode(tree),), encoder.encode


try:
    _scan, _encode, quote = _from_c()
except (ImportError, TypeError):  # another Python than CPython, or a later one with other C parts
    _scan, _encode, quote = _from_package()


def dump(tree: Tree) -> str:
    """`tree` as JSON text without blanks.

    Raises:
        ValueError: a number that is not finite.
        TypeError: not a tree.
        RecursionError: nested too deep, or holding itself.
    """
    kind = type(tree)
    if kind is float or kind is int:
        return repr(tree)
    if kind is str:
        return quote(tree)
    return "".join(_encode(tree, 0))


def parse(text: str) -> Tree:
    """The inverse of `dump`.

    Raises:
        ValueError: not JSON, or more than one value.
    """
    try:
        tree, end = _scan(text, len(text) - len(text.lstrip()))
    except StopIteration as stop:
        raise ValueError(f"not JSON at character {stop.value}") from None
    if text[end:].strip():
        raise ValueError(f"not JSON: more text after character {end}")
    return tree
