"""Stands for `sciflow.author.text`: where ops run, every value is known, and the text is filled at once."""

from __future__ import annotations

from typing import Any


def text(template: str, /, **values: Any) -> str:
    """`template` with every `{name}` replaced by `str()` of the value of that name; `{{` and `}}` are braces."""
    return template.format_map({name: str(value) for name, value in values.items()})
