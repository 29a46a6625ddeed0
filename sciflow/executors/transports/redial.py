"""A connection that is made again when it broke, with pauses that grow: for a transport, and where one is kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from sciflow.errors import CommandTimedOut, HostRefused, HostUnreachable
from sciflow.executors.transports.connection import Connection
from sciflow.executors.transports.dialing import connect
from sciflow.executors.transports.login import Asker, Keyring
from sciflow.executors.transports.ssh_config import Hop

FIRST_PAUSE_S = 0.5
LAST_PAUSE_S = 60.0


class Redial:
    """At most one connection to a host; its methods may be called from several threads."""

    def __init__(self, hops: Sequence[Hop], *, connect_timeout_s: float, keepalive_s: float) -> None:
        self.name = hops[-1].name
        self._hops = tuple(hops)
        self._connect_timeout_s = connect_timeout_s
        self._keepalive_s = keepalive_s
        self._keyring = Keyring()
        self._connection: Connection | None = None
        self._lock = threading.Lock()
        self._pause_s = 0.0
        self._next = 0.0
        self.failure: HostUnreachable | HostRefused | None = None  # of the last attempt

    @property
    def connection(self) -> Connection | None:
        """The one that lives, if one does."""
        connection = self._connection
        return connection if connection is not None and connection.alive else None

    @property
    def pause_s(self) -> float:
        """How long no attempt is made from now."""
        return max(0.0, self._next - time.monotonic())

    def get(self, end: float) -> Connection:
        """The connection, made again if that needs nobody's input; `end`: by the monotonic clock."""
        if not self._lock.acquire(timeout=max(0.0, end - time.monotonic())):
            raise CommandTimedOut(f"{self.name}: not connected within the time limit")
        try:
            if (connection := self.connection) is not None:
                return connection
            if self.failure is not None and (pause := self.pause_s) > 0:
                raise type(self.failure)(f"{self.failure}\n    (the next attempt is made in {pause:.1f} s)")
            return self._connect(None, (), min(self._connect_timeout_s, max(1.0, end - time.monotonic())))
        finally:
            self._lock.release()

    def log_in(self, asker: Asker, accept: Sequence[str]) -> None:
        """The same with somebody to ask, at once."""
        with self._lock:
            if self.connection is None:
                self._connect(asker, accept, self._connect_timeout_s)

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self, asker: Asker | None, accept: Sequence[str], timeout_s: float) -> Connection:
        try:
            self._connection = connect(
                self._hops,
                asker=asker,
                keyring=self._keyring,
                accept=accept,
                timeout_s=timeout_s,
                keepalive_s=self._keepalive_s,
            )
        except (HostUnreachable, HostRefused) as error:
            self._pause_s = min(LAST_PAUSE_S, max(FIRST_PAUSE_S, 2 * self._pause_s))
            self._next = time.monotonic() + self._pause_s
            self.failure = error
            raise
        self._pause_s, self._next, self.failure = 0.0, 0.0, None
        return self._connection
