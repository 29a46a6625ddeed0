"""Where what lies in the bucket. A run's part has the same paths as a run folder. Pure."""

from __future__ import annotations

import msgspec

FACTS = "facts.json"  # of a run: what its pods must know of it
OUTCOMES = "outcomes"  # <node's path>/<chunk>: how the tasks of a pod have ended
ANSWERS = "answers"  # <node's path>: what was given at a suspension


class Layout(msgspec.Struct, frozen=True):
    """The keys of one run; `prefix` is the folder of all that is sciflow's in the bucket, "" or "x/"."""

    prefix: str
    run: str

    def part(self, path: str) -> str:
        """What lies under a path of the run."""
        return f"{self.prefix}runs/{self.run}/{path}"

    def outcomes(self, path: str, chunk: int | str) -> str:
        """How the tasks of one pod have ended."""
        return self.part(f"{OUTCOMES}/{path}/{chunk}")

    def answer(self, path: str) -> str:
        """What was given at a suspension."""
        return self.part(f"{ANSWERS}/{path}")

    def cached(self, key: str) -> str:
        """An outcome that another run may take."""
        return f"{self.cache}/{key}"

    @property
    def cache(self) -> str:
        """All of those."""
        return f"{self.prefix}cache"

    def code(self, sha256: str) -> str:
        """The runner, sciflow itself and users' modules, by their content."""
        return f"{self.prefix}code/{sha256}"
