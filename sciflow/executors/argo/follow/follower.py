"""The thread that looks after one workflow: does what is ordered, in its order, and looks what is new in between.

Servers that do not answer are waited for, and the executor is told. What can never be done is told, too.
"""

from __future__ import annotations

import errno
import select
import threading
import time

from sciflow.errors import ConfigError, HostFailed, HostRefused, HostUnreachable, SciflowError
from sciflow.executors.argo.follow.followed import Followed
from sciflow.executors.argo.follow.gates import Gates
from sciflow.executors.argo.follow.harvest import Harvest
from sciflow.executors.argo.follow.lookout import Lookout
from sciflow.executors.argo.follow.news import (
    Answer,
    Broken,
    End,
    Fetch,
    Fetched,
    News,
    Notice,
    Obeyed,
    Order,
    Refused,
    Told,
    Unreached,
)
from sciflow.executors.argo.follow.orders import Mission, Orders, Supply
from sciflow.executors.argo.follow.sight import Sight
from sciflow.executors.argo.follow.waiting import WaitingPods
from sciflow.executors.inbox import Inbox

AGAIN_S = 2.0  # after a server has not answered; each time twice as long
FAILED_S = 60.0  # for which a server is asked again that has failed to do what it was ordered
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


class Follower:
    """Looks after one workflow for the executor of one run."""

    def __init__(
        self,
        followed: Followed,
        *,
        supply: Supply,
        patience: WaitingPods,
        least_s: float,
        most_s: float,
        mission: Mission,
    ) -> None:
        """`least_s`, `most_s`: between two looks."""
        self.news: Inbox[News] = Inbox()
        self._server = followed.server
        sight, harvest, tell = Sight(), Harvest(followed), self.news.put
        gates = Gates(followed, send=supply.send_answer, tell=tell, opens=mission.opens)
        self._deeds = Orders(
            followed, mission=mission, supply=supply, sight=sight, gates=gates, harvest=harvest, tell=tell
        )
        self._lookout = Lookout(
            followed,
            sight=sight,
            harvest=harvest,
            patience=patience,
            gates=gates if mission.gates else None,
            least_s=least_s,
            most_s=most_s,
            tell=tell,
        )
        self._most_s = most_s
        self._orders: Inbox[Order] = Inbox()
        self._pending: list[Order] = []
        self._trouble = ""
        self._troubled_since: float | None = None  # by trouble of any kind
        self._failing: tuple[Order, float] | None = None  # an order that a server fails to do, and since when
        self._next_look = 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"argo {followed.name}", daemon=True)
        self._thread.start()

    def order(self, order: Order) -> None:
        """Has something done, in time; then there is news of it."""
        self._orders.put(order)

    def close(self, seconds: float) -> None:
        """Ends after what is under way, or when so many seconds have passed."""
        self._closing.set()
        self._orders.wake()
        self._thread.join(seconds)
        self.news.close()

    # --- the thread

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._turn()
        except BaseException as error:  # noqa: BLE001  to be raised where somebody hears of it
            self.news.put(Broken(error=error))
        finally:
            self._server.close()
            self._orders.close()

    def _turn(self) -> None:
        poll = select.poll()
        poll.register(self._orders.fd, select.POLLIN)
        idle = not (self._deeds.begun or self._pending)
        poll.poll(None if idle else 1000 * max(0.0, self._next_look - time.monotonic()))
        self._pending += self._orders.take()
        if self._closing.is_set():
            return
        self._set_aside()
        try:
            while self._pending:
                self._obey(self._pending[0])
            if self._deeds.begun and time.monotonic() >= self._next_look:
                pause_s = self._lookout.look()
                self._next_look = time.monotonic() + pause_s
            self._say("")
            self._troubled_since = None
        except (OSError, SciflowError) as error:
            self._wait(error)
            self._judge(error)

    def _obey(self, order: Order) -> None:
        """Does the first of the orders."""
        self._next_look = 0.0
        self._deeds.obey(order)
        del self._pending[0]
        if not isinstance(order, Answer):  # it is done when Argo knows of it
            self.news.put(Obeyed(order=order))

    def _judge(self, error: OSError | SciflowError) -> None:
        """What may pass is tried again, for a while or for ever."""
        failed_s = self._failed_s(error)
        match error:
            case OSError(errno=code) if code in NO_ROOM:
                return
            case OSError() | HostFailed():
                if failed_s > FAILED_S:
                    self._refused(str(error))
            case HostUnreachable():
                return
            case HostRefused() | ConfigError():
                self._refused(str(error))
            case _ if self._pending:
                self._refused(str(error))
            case _:
                self.news.put(Unreached(why=str(error)))

    def _failed_s(self, error: OSError | SciflowError) -> float:
        """For how long a server has failed to do the order that is next; not counted is for how long none answered."""
        if not self._pending or not isinstance(error, OSError | HostFailed):
            self._failing = None
            return 0.0
        order, now = self._pending[0], time.monotonic()
        if self._failing is None or self._failing[0] is not order:
            self._failing = order, now
        return now - self._failing[1]

    def _wait(self, error: Exception) -> None:
        """Has the next try come later than the one before."""
        self._troubled_since = self._troubled_since or time.monotonic()
        pause = min(max(AGAIN_S, self._troubled_s()), max(AGAIN_S, self._most_s))
        self._next_look = time.monotonic() + pause
        if self._deeds.begun or isinstance(error, HostUnreachable | OSError):
            self._say(f"{error}; waiting")

    def _troubled_s(self) -> float:
        return time.monotonic() - (self._troubled_since or time.monotonic())

    def _refused(self, why: str) -> None:
        """An order comes to nothing, and whoever gave it hears why; without the first of all there is nothing to do.

        A run has failed only if its workflow could not be submitted: one that was there before may be at work.
        """
        if not self._deeds.begun:
            nothing = self._deeds.nothing_there
            while self._pending:
                self._drop(self._pending[0], why, refused=not nothing)
            self.news.put(Refused(why=why) if nothing else Unreached(why=why))
        elif self._pending:
            self._drop(self._pending[0], why)
            self._troubled_since, self._next_look = None, 0.0

    def _set_aside(self) -> None:
        """A workflow that is to be ended is ended first; of what was ordered before only files are brought then."""
        last = next((order for order in reversed(self._pending) if isinstance(order, End)), None)
        if last is None:
            return
        before = self._pending[: self._pending.index(last)]
        for order in before:
            if not isinstance(order, Fetch):
                self._drop(order, "the run was ended", refused=False)
        self._pending.remove(last)
        self._pending.insert(0, last)

    def _drop(self, order: Order, why: str, *, refused: bool = True) -> None:
        """An order comes to nothing; whoever gave it hears all that it waits for."""
        self._pending.remove(order)
        match order:
            case Fetch(paths=paths):
                self.news.put(Fetched(paths=paths, lost=dict.fromkeys(paths, why)))
            case Answer(path=path):
                self.news.put(Told(path=path, text=None))
        self.news.put(Obeyed(order=order, refusal=why if refused else ""))

    def _say(self, text: str) -> None:
        if text != self._trouble:
            self._trouble = text
            self.news.put(Notice(text=text))
