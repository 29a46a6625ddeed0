"""Text with tags, `{{inputs.parameters.x}}`, in its parts."""

from __future__ import annotations

import re

import msgspec

_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


class Tag(msgspec.Struct, frozen=True):
    """One tag; `expression` is what stands behind `{{=`, else `path` is what it names."""

    path: str
    expression: bool = False


def parts_of(text: str) -> list[str | Tag]:
    """The text as pieces of text and tags."""
    parts: list[str | Tag] = []
    end = 0
    for found in _TAG.finditer(text):
        parts += [text[end : found.start()]] if found.start() > end else []
        inner = found.group(1)
        parts.append(Tag(inner[1:].strip(), expression=True) if inner.startswith("=") else Tag(inner.strip()))
        end = found.end()
    return parts + ([text[end:]] if end < len(text) else [])


def tags_of(text: str) -> list[Tag]:
    """The tags alone."""
    return [part for part in parts_of(text) if isinstance(part, Tag)]
