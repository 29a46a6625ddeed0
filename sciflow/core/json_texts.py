"""Values that travel as text, as in a manifest of Argo, where every parameter is one: text to value and back. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

_NUMBER = re.compile(r"[-+]?([0-9]+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_ESCAPED = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})
_WORDS = {"true": True, "false": False}


def plain(value: Any) -> str:
    """The text of a value: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json_of(value)


def plains(values: Sequence[Any]) -> list[str]:
    """The texts of several values."""
    return [plain(value) for value in values]


def json_of(value: Any) -> str:
    """JSON as Go writes it: no blanks, names in order, no decimal point at whole numbers, and no `<>&` as such."""
    text = json.dumps(_whole(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
    return text.translate(_ESCAPED)


def _whole(value: Any) -> Any:
    match value:
        case float() if value.is_integer() and abs(value) < 1e21:
            return int(value)
        case list() | tuple():
            return [_whole(item) for item in value]
        case dict():
            return {name: _whole(item) for name, item in value.items()}
        case _:
            return value


def scalar(text: str) -> bool | int | float | str:
    """The number or truth value that a text spells; else the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text) is None:
        return text
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def json_list(text: str) -> list[Any]:
    """The list that a text holds as JSON.

    Raises:
        ValueError: it holds none.
    """
    value = json.loads(text)
    if not isinstance(value, list):
        raise ValueError(f"expected a JSON list, found {text[:80]!r}")  # noqa: TRY004  the text is wrong, not its type
    return value


def json_of_results(texts: Sequence[str]) -> str:
    """A JSON list of what programs printed: what is JSON as such, everything else as text."""
    return json_of([_read(text) for text in texts])


def json_of_texts(texts: Sequence[str]) -> str:
    """A JSON list of parameters: as JSON where all of them are lists or objects, else as texts."""
    read = [_read(text) for text in texts]
    return json_of(read if all(isinstance(value, (list, dict)) for value in read) else list(texts))


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def pick(records: Sequence[dict[str, Any]], name: str) -> list[Any]:
    """The field of that name of each record."""
    return [record[name] for record in records]


def present(values: Sequence[Any]) -> list[Any]:
    """Without those that are missing."""
    return [value for value in values if value is not None]


def refuse(why: str) -> NoReturn:
    """No value: what rests on it fails.

    Raises:
        ValueError: always.
    """
    raise ValueError(why)
