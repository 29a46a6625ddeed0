"""What an op may ask of the place it runs in, and tell it: `sciflow.context()`.

Outside a run the answers are defaults and what is told goes nowhere, so that an op works as a plain function.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Mapping

    Tree = Any

PROGRESS_INTERVAL_S = 0.1


class Context:
    """One slice's view of its place. Valid until the slice ends.

    Attributes:
        path: the task's path in the run, such as ``energy/12``; empty outside a run.
        key: the task's key, if it has one.
        attempt: 1 at the first try.
        seed: of this slice, the same in every run and attempt; of an op in the cache, of its inputs.
        cpus: cores granted.
        memory_mb: memory granted; 0: no limit was named.
        gpus: numbers of the devices granted.
        host: settings of the executing machine, where programs, pseudopotentials and licences lie; never recorded.
    """

    __slots__ = (
        "_deadline", "_facts", "_flag", "_needs", "_next_progress", "_send",
        "attempt", "cpus", "gpus", "host", "key", "memory_mb", "path", "seed",
    )  # fmt: skip

    def __init__(
        self,
        *,
        path: str = "",
        key: str | None = None,
        attempt: int = 1,
        seed: int = 0,
        cpus: int = 1,
        memory_mb: int = 0,
        gpus: tuple[int, ...] = (),
        host: Mapping[str, Any] | None = None,
        deadline: float | None = None,
        send: Callable[[float, float | None, str], None] | None = None,
    ) -> None:
        """`deadline` is a time of `time.monotonic`; `send` takes progress."""
        self.path = path
        self.key = key
        self.attempt = attempt
        self.seed = seed
        self.cpus = cpus
        self.memory_mb = memory_mb
        self.gpus = gpus
        self.host: Mapping[str, Any] = {} if host is None else host
        self._deadline = deadline
        self._send = send
        self._next_progress = 0.0
        self._facts: dict[str, Tree] = {}
        self._needs: dict[str, Tree] = {}
        self._flag = ""

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the op or the run is stopped for its time limit; None: there is none."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say how far the op is; call it as often as you like, what comes too fast is dropped."""
        now = time.monotonic()
        if self._send is not None and now >= self._next_progress:
            self._next_progress = now + PROGRESS_INTERVAL_S
            self._send(done, total, message)

    def record(self, **facts: object) -> None:
        """Keep facts about how the result came about, such as a program's version.

        Raises:
            CodecError: a fact has no form that can be stored.
        """
        self._facts.update(_trees(facts))

    def needs(self, **facts: object) -> None:
        """Facts that the result depends on beside the inputs: a cached result counts only while they are the same.

        Raises:
            CodecError: a fact has no form that can be stored.
        """
        self._needs.update(_trees(facts))

    def flag(self, text: str) -> None:
        """Mark the result as finished but not as it should be ("not converged"); counted apart, not a failure."""
        self._flag = str(text)

    def told(self) -> dict[str, Tree]:
        """What the op has told, for its record: facts, needs and flag, each only if there is one."""
        told = (("facts", self._facts), ("needs", self._needs), ("flag", self._flag))
        return {name: what for name, what in told if what}

    def end(self) -> None:
        """The slice is over: a thread that it left behind reports no more."""
        self._send = None


def _trees(facts: Mapping[str, object]) -> dict[str, Tree]:
    from sciflow.runner.codec import encode

    return {name: encode(fact) for name, fact in facts.items()}


class Desk:
    """Where the running slice's context is found; made only when an op asks for it."""

    __slots__ = ("_args", "_make", "made")

    def __init__(self) -> None:
        self.made: Context | None = None
        self._make: Callable[..., Context] | None = None
        self._args: tuple[Any, ...] = ()

    def open(self, make: Callable[..., Context], *args: object) -> None:
        """A slice begins; `make(*args)` gives its context."""
        self._make = make
        self._args = args

    def close(self) -> Context | None:
        """The slice has ended; its context, if it asked for one."""
        made, self.made, self._make = self.made, None, None
        if made is not None:
            made.end()
        return made

    def current(self) -> Context:
        """The context of the running slice, or the defaults."""
        if self._make is None:
            return Context()
        if self.made is None:
            self.made = self._make(*self._args)
        return self.made


DESK = Desk()  # one per process, since an op that asks has no other way to its worker


def context() -> Context:
    """What the running op was granted and where it stands; defaults outside a run."""
    return DESK.current()
