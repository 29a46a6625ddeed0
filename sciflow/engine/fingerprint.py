"""What identifies an op's outcome: its code, its inputs, and those of its options that can change a result."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.graph import Function, OpTemplate, Program, Secret
from sciflow.core.job import Need
from sciflow.engine.contents import Contents


class Fingerprint(msgspec.Struct, frozen=True):
    """What identifies an op's outcome, but for the inputs: made once per node, used for all its slices."""

    op: str
    place: str  # where the op is written: the same after an edit, another for another op of that name
    code: str
    parts: Mapping[str, str]
    options: Mapping[str, Tree]
    fixed: Mapping[str, str]  # port -> hash
    columns: tuple[str, ...]
    shared: bytes  # of code and options
    given: bytes  # of the op's name and the inputs that all slices share
    contents: Contents

    def key(self, elements: Sequence[bytes]) -> bytes:
        """The key of one task."""
        return hashlib.blake2b(self.shared + self._inputs(elements), digest_size=20).digest()

    def seed(self, elements: Sequence[bytes]) -> int:
        """The task's random seed in [0, 2**32): the same for the same op and inputs, whatever the code is now."""
        return int.from_bytes(self._inputs(elements)[:4], "big")

    def _inputs(self, elements: Sequence[bytes]) -> bytes:
        told = hashlib.blake2b(self.given, digest_size=20)
        for text in elements:
            content = self.contents.of(text)
            told.update(b"\0%d\0" % len(content))
            told.update(content)
        return told.digest()

    def inputs(self, elements: Sequence[bytes]) -> dict[str, str]:
        """The hash of every input, for `explain`."""
        return dict(self.fixed) | {p: _hash(self.contents.of(t)) for p, t in zip(self.columns, elements, strict=True)}


def fingerprint(
    template: OpTemplate,
    parts: Mapping[str, str],
    need: Need,
    *,
    fixed: Mapping[str, bytes],
    columns: Sequence[str],
    contents: Contents,
) -> Fingerprint:
    """What identifies the outcomes of one node's tasks.

    Of the options, those count that can change a result: image and plain environment variables. Cores, memory, time
    limits, retries and places do not.
    """
    env = {name: value for name, value in need.env if not isinstance(value, Secret)}
    options: dict[str, Tree] = {"image": need.image, "env": env}
    hashes = {port: _hash(contents.of(text)) for port, text in sorted(fixed.items())}
    code = _hash(msgspec.json.encode(dict(sorted(parts.items()))))
    return Fingerprint(
        op=template.name,
        place=_place(template),
        code=code,
        parts=parts,
        options=options,
        fixed=hashes,
        columns=tuple(columns),
        shared=hashlib.blake2b(msgspec.json.encode([code, options]), digest_size=20).digest(),
        given=msgspec.json.encode([template.name, hashes, list(columns)]),
        contents=contents,
    )


def parts_of(template: OpTemplate) -> Mapping[str, str]:
    """The parts of an op's code as they were when its workflow was traced; of a program, what is started and how."""
    match template.code:
        case Program():
            return {f"command {template.name}": _hash(msgspec.json.encode(template.code))}
        case Function():
            return template.identity


def _place(template: OpTemplate) -> str:
    match template.code:
        case Function(module=module, qualname=qualname, script=script):
            return f"{script or module}:{qualname}"
        case _:
            return template.name


def _hash(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=10).hexdigest()
