"""Where what lies in the bucket. A run's part has the same paths as a run folder. Pure."""

from __future__ import annotations

import msgspec

FACTS = "facts.json"  # of a run: what its pods must know of it
OUTCOMES = "outcomes"  # <node's path>/<chunk>: how the tasks of a pod have ended
SPENT = "spent"  # <node's path>/<chunk>: how often tasks had been tried before the run was last retried
HALTED = "halted"  # that somebody has ended the run, and why
ANSWERS = "answers"  # <node's path>: what was given at a suspension
PARAMETERS = "parameters.json"  # of what is deployed: what its runs may be given
RESULT = "result.json"  # of a run that no engine looks after
LIB = "/sciflow/lib"  # in a pod
LOGIN = "/sciflow/login"  # in one that gives tasks to a batch system: the Secret for logging in at its host
RUNNER, PACKAGE = f"{LIB}/runner.zip", f"{LIB}/sciflow.zip"


class Layout(msgspec.Struct, frozen=True):
    """The keys of one run; `prefix` is the folder of all that is sciflow's in the bucket, "" or "x/".

    What is deployed has the same, in a folder of its own: what its runs are given.
    """

    prefix: str
    run: str
    folder: str = "runs"

    def part(self, path: str) -> str:
        """What lies under a path of the run."""
        return f"{self.prefix}{self.folder}/{self.run}/{path}"

    def deployed(self, key: str) -> Layout:
        """The keys of what is deployed."""
        return Layout(self.prefix, key, "deployed")

    def outcomes(self, path: str, chunk: int | str) -> str:
        """How the tasks of one pod have ended."""
        return self.part(f"{OUTCOMES}/{path}/{chunk}")

    def spent(self, path: str, chunk: int) -> str:
        """How often the tasks of one pod had been tried before the run was last retried."""
        return self.part(f"{SPENT}/{path}/{chunk}")

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


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What pods are given: by the hash of its content."""

    runner: str
    package: str  # sciflow itself
