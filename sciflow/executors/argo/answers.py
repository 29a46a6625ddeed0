"""Answers for the suspended nodes of a run: an object of the bucket each, of which the first that is given holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from sciflow.executors.argo.news import News, Told
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.facts import GivenValue
from sciflow.executors.argo.place.given import bring_packs
from sciflow.executors.argo.place.layout import Layout


class Answers:
    """Those of one run."""

    def __init__(self, bucket: Bucket, layout: Layout, *, here: Path, tell: Callable[[News], None]) -> None:
        """`here`: the run folder; `tell`: where each is told, once."""
        self._bucket = bucket
        self._layout = layout
        self._here = here
        self._tell = tell
        self._told: set[str] = set()  # paths

    def given(self, path: str) -> bytes | None:
        """The answer that holds, as it is read here: what it refers to is here, or is to be had."""
        told = self._bucket.decoded(self._layout.answer(path), GivenValue)
        if told is None:
            return None
        bring_packs(self._bucket, self._layout, self._here, bytes(told.output))
        return bytes(told.output)

    def tell(self, path: str, text: bytes) -> None:
        """Tells one."""
        if path not in self._told:
            self._told.add(path)
            self._tell(Told(path=path, text=text))

    def pass_by(self, paths: Iterable[str]) -> None:
        """Tells of suspensions which ask for nothing that they are over."""
        for path in paths:
            self.tell(path, b"null")

    def look(self) -> list[str]:
        """Tells those that somebody else has given; their paths."""
        head = self._layout.answer("")
        fresh = [key.removeprefix(head) for key in self._bucket.list(head)]
        fresh = [path for path in fresh if path not in self._told]
        for path in fresh:
            text = self.given(path)
            if text is not None:
                self.tell(path, text)
        return fresh
