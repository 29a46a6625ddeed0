"""Puts the files of a run into its storage while it runs, and brings back those that are not here any more.

To the engine it is one more place where files lie, as an executor elsewhere is, at which no task runs.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import msgspec

from sciflow.core.job import Job, Need
from sciflow.core.records import TaskError
from sciflow.engine.stored_files import Placed, append, bring, read_index
from sciflow.errors import ConfigError, HostError
from sciflow.executors.executor import Brought, Noticed, Offer, Report, Watch
from sciflow.runner.failures import PlaceError
from sciflow.storage.keys import content_key
from sciflow.storage.storage import Storage

THREADS = 4
SMALL_BYTES = 64 << 10  # files up to this travel together
TOGETHER = 500  # of them at most
LINGER_S = 0.5  # for which they wait for others
PAUSE_S = 15.0  # until what a storage did not take is offered again


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the storage now, and of what was to be brought from it and is not to be had, why."""

    placed: Sequence[Placed] = ()
    lost: Mapping[str, str] = {}


class Parcelled(msgspec.Struct, kw_only=True, eq=False):
    """Files on their way to the storage (one, or small ones together), or from it."""

    paths: list[str]
    fetches: bool
    small: bool = False
    future: Future[Carried] | None = None
    again: float = 0.0  # by the monotonic clock


class Stowage:
    """The storage of a run. An `Executor` that offers nothing."""

    outlives = False
    throttles = False
    settled = True

    def __init__(self, name: str, root: Path, make: Callable[[], Storage], warn: Callable[[str], None]) -> None:
        """`make` gives the storage, anew after it has refused; `warn` tells people what was left out."""
        self.name = name
        self._root = root
        self._make = make
        self._warn = warn
        self._storage: Storage | None = None
        self._index = read_index(root)
        self._known = set(self._index)  # stored, or to be
        self._small: deque[str] = deque()
        self._sails = 0.0  # when those that wait go, by the monotonic clock
        self._under_way: list[Parcelled] = []
        self._problem = ""
        self._closed = False
        self._news, self._bell = os.pipe()
        os.set_blocking(self._news, False)
        os.set_blocking(self._bell, False)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="sciflow-storage")

    # --- what is stored

    @property
    def idle(self) -> bool:
        """Whether all is in the storage that there is."""
        return not (self._small or self._under_way)

    def holds(self, path: str) -> bool:
        """Whether a file of the run is in the storage."""
        return path in self._index

    def store(self, paths: Iterable[str], *, anew: bool = False) -> None:
        """Has files of the run put into the storage that are here; each once, or `anew` if it was made again."""
        for path in paths:
            place = self._root / path
            if (path in self._known and not anew) or not place.exists():
                continue
            self._known.add(path)
            if place.is_file() and place.stat().st_size <= SMALL_BYTES:
                self._sails = self._sails if self._small else time.monotonic() + LINGER_S
                self._small.append(path)
            else:
                self._start(Parcelled(paths=[path], fetches=False))
        self._start_small()

    def _start_small(self) -> None:
        """Small files wait for a while, and while others of them travel, and then go together."""
        due = len(self._small) >= TOGETHER or time.monotonic() >= self._sails
        if self._small and due and not any(parcel.small for parcel in self._under_way):
            paths = [self._small.popleft() for _ in range(min(TOGETHER, len(self._small)))]
            self._start(Parcelled(paths=paths, fetches=False, small=True))

    def _start(self, parcel: Parcelled) -> None:
        if parcel not in self._under_way:
            self._under_way.append(parcel)
        carry = self._bring if parcel.fetches else self._put
        parcel.future = self._pool.submit(carry, parcel.paths)
        parcel.future.add_done_callback(self._ring)

    def _ring(self, _: Future[Carried]) -> None:
        try:
            os.write(self._bell, b"!")
        except OSError:  # it rings already, or nobody listens any more
            return

    def _put(self, paths: list[str]) -> Carried:
        storage = self._open()
        if len(paths) == 1:
            source = self._root / paths[0]
            folder = source.is_dir()
            stored = storage.put(source, lambda sha256: content_key(sha256, source.name, folder=folder))
            return Carried(placed=[Placed(at=self.name, path=paths[0], stored=stored)])
        with tempfile.TemporaryDirectory(dir=self._root / "work", prefix="stored-") as beside:
            for number, path in enumerate(paths):
                os.link(self._root / path, f"{beside}/{number}")
            stored = storage.put(Path(beside), lambda sha256: content_key(sha256, "together", folder=True))
        placed = [Placed(at=self.name, path=p, stored=stored, inside=str(n)) for n, p in enumerate(paths)]
        return Carried(placed=placed)

    def _bring(self, paths: list[str]) -> Carried:
        return Carried(lost=bring(self._open(), self._root, [self._index[path] for path in paths]))

    def _open(self) -> Storage:
        if self._storage is None:
            self._storage = self._make()
        return self._storage

    # --- as an executor

    def offer(self, need: Need, template: str, *, remaining: int, at_once: int | None = None) -> Offer:
        """See `Executor`: nothing runs in a storage."""
        del need, template, remaining, at_once
        return Offer(0)

    def submit(self, job: Job) -> None:
        """See `Executor`."""
        raise ConfigError(f"job {job.id}: {self.name!r} is a storage, no executor")

    def watch(self) -> Watch:
        """See `Executor`."""
        waits = [parcel.again for parcel in self._under_way if parcel.future is None]
        if self._small and not any(parcel.small for parcel in self._under_way):
            waits.append(self._sails)
        seconds = max(0.0, min(waits) - time.monotonic()) if waits else None
        return Watch(read=(self._news,), seconds=seconds, calm=True)

    def poll(self) -> list[Report]:
        """See `Executor`."""
        with suppress(BlockingIOError):
            os.read(self._news, 4096)
        reports: list[Report] = []
        for parcel in list(self._under_way):
            if parcel.future is None and time.monotonic() >= parcel.again:
                self._start(parcel)
            elif parcel.future is not None and parcel.future.done():
                reports += self._ended(parcel)
        self._start_small()
        return reports

    def _ended(self, parcel: Parcelled) -> list[Report]:
        assert parcel.future is not None
        carried = Carried()
        try:
            carried = parcel.future.result()
        except (HostError, ConfigError) as error:
            return self._postponed(parcel, str(error))
        except (OSError, PlaceError) as error:
            self._not_stored(parcel, error)
        self._under_way.remove(parcel)
        self._remember(carried.placed)
        reports: list[Report] = [Noticed(text="")] if self._problem else []
        self._problem = ""
        if parcel.fetches:
            reports.append(Brought(paths=[path for path in parcel.paths if path not in carried.lost]))
            reports += [Brought(paths=[path], problem=why) for path, why in carried.lost.items()]
        return reports

    def _not_stored(self, parcel: Parcelled, error: OSError | PlaceError) -> None:
        """One file of several may be gone or have changed, and the others go alone; or it was that one."""
        if len(parcel.paths) > 1 and not self._closed:
            for path in parcel.paths:
                self._start(Parcelled(paths=[path], fetches=False))
        else:
            self._warn(f"storage {self.name}: not stored: {', '.join(parcel.paths[:3])}: {error}")

    def _remember(self, made: Sequence[Placed]) -> None:
        if made:
            append(self._root, made)
            self._index |= {placed.path: placed for placed in made}

    def _postponed(self, parcel: Parcelled, why: str) -> list[Report]:
        """The storage does not answer, or somebody has to do something: said once, and tried again."""
        self._storage = None  # its credentials may be others by then
        parcel.future, parcel.again = None, time.monotonic() + PAUSE_S
        said, self._problem = self._problem, why
        return [] if said else [Noticed(text=f"files wait for their storage: {why}")]

    def fetch(self, paths: Sequence[str]) -> None:
        """See `Executor`: files of the run that are in the storage, and not here."""
        self._start(Parcelled(paths=list(paths), fetches=True))

    def cancel(self, jobs: Iterable[int], error: TaskError) -> None:
        """See `Executor`."""

    def withdraw(self) -> None:
        """See `Executor`; no task waits here."""

    def close(self) -> None:
        """What is under way ends; what is not in the storage by then is put there by the run's next engine."""
        self._closed = True
        self._pool.shutdown(cancel_futures=True)
        for parcel in list(self._under_way):
            if parcel.future is not None and parcel.future.done() and not parcel.future.cancelled():
                self._ended(parcel)
        if not self.idle:
            self._warn(f"storage {self.name}: not all files of the run are there: {self._problem or 'it was ended'}")
        os.close(self._news)
        os.close(self._bell)
