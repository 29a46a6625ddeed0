"""The thread that speaks with one host for an executor: does what it is ordered, looks after what is there, waits.

A host that does not answer is waited for, and the executor is told. One that answers, and was never as it must be, is
not waited for: what is for it is refused.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from sciflow.core.records import TaskError
from sciflow.errors import HostError, HostUnfit
from sciflow.executors.batch.depot import Depot
from sciflow.executors.batch.fetching import fetch
from sciflow.executors.batch.news import (
    Adopt,
    Allowed,
    Ask,
    Broken,
    Cancel,
    Fetch,
    Fetched,
    News,
    Notice,
    Order,
    Refused,
    Send,
    Withdraw,
)
from sciflow.executors.batch.ward import Ward
from sciflow.executors.inbox import Inbox
from sciflow.executors.systems.system import SystemLimits

FASTER = 0.5  # of the time since the last news passes until the next look, within the limits
IDLE_S = 3600.0
AGAIN = "\n    (the next attempt is made in"  # how the transport's message ends that says when


class Tempo(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds between two looks at a host: the least, and the most that they grow to while nothing happens."""

    least_s: float = 0.5
    most_s: float = 30.0


class Courier:
    """Speaks with one host for one executor of one run."""

    def __init__(self, name: str, depot: Depot, ward: Ward, *, here: Path, news: Inbox[News], tempo: Tempo) -> None:
        """`name` is the executor's, `here` the run folder; `news` is where news go, `ward`'s too."""
        self._name = name
        self.news = news
        self._orders: Inbox[Order] = Inbox()
        self._depot = depot
        self._ward = ward
        self._here = here
        self._tempo = tempo
        self._sends: list[Send] = []  # for the ward, once the host was reached
        self._pending: list[Ask | Cancel | Withdraw | Fetch] = []
        self._reached = False  # its Python and our folder there were as they must be
        self._unfit = False  # they were not, and what it allows was never asked
        self._closing = threading.Event()
        self._next_look = 0.0
        self._trouble = ""
        self._waits_s = 0.0
        self._thread = threading.Thread(target=self._run, name=f"courier {depot.transport.name}", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def order(self, order: Order) -> None:
        """Has something done, in time."""
        self._orders.put(order)

    def close(self, seconds: float) -> None:
        """Ends after what is under way, or when so many seconds have passed; nobody hears of news any more."""
        self._closing.set()
        self._orders.wake()
        self._thread.join(seconds)
        self.news.close()

    # --- the thread

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                poll = select.poll()
                poll.register(self._orders.fd, select.POLLIN)
                poll.poll(self._pause() * 1000)
                self._accept()
                self._turn()
        except BaseException as error:  # noqa: BLE001  what ends a thread must be heard by the one who waits for it
            self.news.put(Broken(error=error))
        finally:
            self._orders.close()
            self._depot.transport.close()

    def _pause(self) -> float:
        """Seconds until there is something to do."""
        if self._trouble:
            return self._waits_s
        if self._pending or self._sends or self._ward.unsent:
            return 0.0
        return max(0.0, self._next_look - time.monotonic()) if len(self._ward) else IDLE_S

    def _accept(self) -> None:
        for order in self._orders.take():
            match order:
                case Send():
                    self._sends.append(order)
                    self._next_look = 0.0
                case Adopt():
                    self._ward.accept(order)
                    self._next_look = 0.0
                case Ask() | Cancel() | Withdraw() | Fetch():
                    self._pending.append(order)

    def _turn(self) -> None:
        try:
            self._work()
        except (HostError, OSError) as error:  # a full disk here is waited for as well
            self._wait_for_host(error)
            return
        if self._trouble:
            self._trouble, self._waits_s = "", 0.0
            self.news.put(Notice(text=""))

    def _wait_for_host(self, error: HostError | OSError) -> None:
        self._waits_s = min(max(1.0, 2 * self._waits_s), max(self._tempo.most_s, 1.0))
        trouble = str(error).partition(AGAIN)[0]  # when the next attempt is made is no news
        if trouble != self._trouble:
            self._trouble = trouble
            self.news.put(Notice(text=f"{trouble}\n    waiting for the host; `sciflow doctor {self._name}` says more"))

    def _work(self) -> None:
        if not (len(self._ward) or self._pending or self._sends):
            return
        try:
            self._depot.prepare(expected=self._ward.has_sent or self._fetches)
        except HostUnfit as error:
            if self._reached or len(self._ward) or self._fetches:  # it was as it must be before
                raise
            self._refuse(error)
            return
        self._begin()
        troubles = [trouble for step in (self._submit, self._obey_all, self._look) if (trouble := _tried(step))]
        if troubles:  # each was tried: one that cannot be done keeps no other from being done
            raise troubles[0]

    def _begin(self) -> None:
        """The host is there."""
        self._reached = True
        if self._unfit:
            self._unfit = False
            self._pending.append(Ask())
        sends, self._sends = self._sends, []
        for send in sends:
            self._ward.accept(send)

    def _refuse(self, error: HostUnfit) -> None:
        """Nothing can be done there, and nothing is there: what is for it fails. What comes then tries it anew."""
        orders, self._pending = self._pending, []
        for order in orders:
            if isinstance(order, Ask):
                self._unfit = True
                self.news.put(Allowed(limits=SystemLimits()))  # so that tasks come, and hear of it
            else:
                self._obey(order)  # without submissions the host is not spoken to
        broken = TaskError(kind="place", type="sciflow:EnvironmentBroken", message=str(error), fatal=True)
        sends, self._sends = self._sends, []
        for send in sends:
            self.news.put(Refused(batch=send.record.name, error=broken))

    @property
    def _fetches(self) -> bool:
        """Whether files of the run are wanted that must be in the host's folder."""
        return not self._ward.handover.shared and any(isinstance(order, Fetch) for order in self._pending)

    def _submit(self) -> None:
        if self._ward.unsent:
            self._ward.submit(closing=self._closing.is_set)
            self._next_look = time.monotonic() + self._tempo.least_s / 4

    def _obey_all(self) -> None:
        """Carries orders out; one that fails is tried again after the others."""
        orders, self._pending = self._pending, []
        for place, order in enumerate(orders):
            try:
                self._obey(order)
            except (HostError, OSError):
                self._pending = [*orders[place + 1 :], order]
                raise

    def _look(self) -> None:
        if not len(self._ward) or time.monotonic() < self._next_look:
            return
        while self._ward.look() and not self._closing.is_set():
            pass
        quiet = time.monotonic() - self._ward.last_news
        self._next_look = time.monotonic() + min(max(self._tempo.least_s, FASTER * quiet), self._tempo.most_s)

    def _obey(self, order: Ask | Cancel | Withdraw | Fetch) -> None:
        match order:
            case Ask():
                self.news.put(Allowed(limits=self._ward.limits()))
            case Cancel(elements=elements):
                self._ward.cancel(elements)
            case Withdraw():
                self._ward.withdraw()
                self._next_look = 0.0
            case Fetch(paths=paths):
                lost = fetch(self._depot, self._ward.handover.root, self._here, paths)
                self.news.put(Fetched(paths=[path for path in paths if path not in lost], lost=lost))


def _tried(step: Callable[[], None]) -> HostError | OSError | None:
    """What kept a step from being done."""
    try:
        step()
    except (HostError, OSError) as error:
        return error
    return None
