"""Values of typed inputs from what a person types: text, or JSON. The user's own classes are at hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sciflow.core.from_json import Unfit, bare_type, fitted, is_text
from sciflow.core.ports import Type


def value_of(text: str, type_: Type) -> Any:
    """The value that a text stands for.

    Raises:
        Unfit: it is none of the type; the message says what was expected.
    """
    bare = bare_type(type_)
    if is_text(bare):
        return fitted(text, bare, _CLASSES)
    if text.startswith("@"):
        return fitted(_file_json(Path(text[1:])), bare, _CLASSES)
    try:
        return fitted(json.loads(text), bare, _CLASSES)
    except json.JSONDecodeError as error:
        if bare.name == "union" and any(is_text(member) for member in bare.args):
            return fitted(text, bare, _CLASSES)
        raise Unfit(f"expected {type_}, as JSON; found {text!r} ({error.msg} at character {error.pos + 1})") from None


def _file_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Unfit(f"cannot read JSON from {path}: {error}") from None


class _Classes:
    """See `from_json.Makers`: the user's module has been imported to read the workflow."""

    def path(self, text: str, type_: Type) -> Path:
        """See `Makers`."""
        del type_
        return Path(text)

    def enumerated(self, value: Any, type_: Type) -> Any:
        """See `Makers`."""
        found = class_of(type_)
        if found is None:
            raise Unfit(f"{type_} is not to be found")
        for member in found:
            if value in (member.name, member.value):
                return member
        raise Unfit(f"expected one of {', '.join(member.name for member in found)}, found {value!r}")

    def record(self, fields: Mapping[str, Any], type_: Type) -> Any:
        """See `Makers`."""
        try:
            return class_of(type_)(**fields)
        except TypeError as error:
            raise Unfit(f"no {type_} can be made: {error}") from None


_CLASSES = _Classes()


def class_of(type_: Type) -> Any:
    """The class itself; None if it is not there."""
    module, _, qualname = type_.of.partition(":")
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found
