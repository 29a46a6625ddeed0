"""Plain data as YAML that a person reads: blocks, and text in quotes only where it must be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})  # which YAML reads as something else


def yaml(value: Any) -> str:
    """A document of dicts, lists, texts, numbers, booleans and None."""
    return "".join(f"{line}\n" for line in _lines(value))


def _lines(value: Any) -> Iterator[str]:
    match value:
        case dict() if value:
            for name, part in value.items():
                yield from _entry(f"{_scalar(name)}:", part)
        case list() | tuple() if value:
            for part in value:
                first, *rest = _lines(part)
                yield f"- {first}"
                yield from (f"  {line}" for line in rest)
        case _:
            yield _scalar(value)


def _entry(head: str, part: Any) -> Iterator[str]:
    if isinstance(part, dict | list | tuple) and part:
        yield head
        yield from (f"  {line}" for line in _lines(part))
    else:
        yield f"{head} {_scalar(part)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
