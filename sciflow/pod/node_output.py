"""What a node has given: a reference until somebody looks; of a fan a list, of which no more is read than is wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, overload

import msgspec

from sciflow.errors import RunDamaged

NULL = b"null"
_TOLD = b'{"$":"told"'


def told_text(number: int) -> bytes:
    """What stands for all that a node has given."""
    return b'%s,"node":%d}' % (_TOLD, number)


def is_told(text: bytes) -> bool:
    """Whether a text only says which node has given what it stands for."""
    return text.startswith(_TOLD)


def node_of(text: bytes) -> int:
    """Which node that is, by its number."""
    return int(msgspec.json.decode(text)["node"])


class FanOutputs(Sequence[bytes]):
    """Texts in the order of the slices, null for one that has failed; read in chunks.

    Who goes through the list in order has twice as many chunks read each time, so that there are few readings and at
    most twice as much is read as is wanted.
    """

    def __init__(
        self, path: str, total: int, each: int, read: Callable[[Iterable[int]], Mapping[int, bytes]], *, may_lack: bool
    ) -> None:
        """`each`: slices of a chunk; `read` gives those of some chunks that have succeeded; `may_lack`: may be few."""
        self._path = path
        self._total = total
        self._each = each
        self._read = read
        self._may_lack = may_lack
        self._texts: dict[int, bytes] = {}
        self._there: set[int] = set()  # chunks
        self._ahead = 1

    def __len__(self) -> int:
        return self._total

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._total))]
        chunk = range(self._total)[index] // self._each
        if chunk not in self._there:
            self._bring(range(chunk, min(chunk + self._ahead, self._chunks)))
            self._ahead *= 2
        text = self._texts.get(index % self._total)
        if text is None and not self._may_lack:
            raise RunDamaged(f"{self._path}/{index}: what it has given is not in the bucket")
        return text or NULL

    def __iter__(self) -> Iterator[bytes]:
        self._bring(range(self._chunks))
        return map(self.__getitem__, range(self._total))

    @property
    def successes(self) -> int:
        """How many slices have given something."""
        self._bring(range(self._chunks))
        return len(self._texts)

    @property
    def _chunks(self) -> int:
        return -(-self._total // self._each)

    def _bring(self, chunks: Iterable[int]) -> None:
        if wanted := [chunk for chunk in chunks if chunk not in self._there]:
            self._texts.update(self._read(wanted))
            self._there.update(wanted)


NodeOutput: TypeAlias = bytes | Sequence[bytes]  # the text of an output, or those of the elements of a list


def whole(given: NodeOutput) -> bytes:
    """The text of all of it."""
    return given if isinstance(given, bytes) else b"[" + b",".join(given) + b"]"
