"""What tasks print, as the log of their pod."""

from __future__ import annotations

import os

from sciflow.runner.packs import write_all


class PodLog:
    """Prints what grows in the files of a folder: of those that end in `.err` to standard error."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._shown: dict[str, int] = {}

    def print(self) -> None:
        """What is new."""
        for name in sorted(os.listdir(self._folder)) if os.path.isdir(self._folder) else ():
            with open(f"{self._folder}/{name}", "rb") as file:
                file.seek(self._shown.get(name, 0))
                data = file.read()
            if data:
                self._shown[name] = self._shown.get(name, 0) + len(data)
                write_all(2 if name.endswith(".err") else 1, data)
