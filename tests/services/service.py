"""What a service is: a real program for tests, installed once, started on loopback in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

R_co = TypeVar("R_co", covariant=True)


class NotHereError(Exception):
    """A service cannot be had on this machine; the text says why and what to do."""


class Service(Protocol[R_co]):
    """All that a service keeps lies in the folder that it is started in: whoever has the folder can stop it."""

    @property
    def name(self) -> str: ...

    @property
    def what(self) -> str:
        """In a few words, for the table."""

    def missing(self) -> str:
        """Why it cannot be started here, and what to do; empty if it can."""

    def install(self) -> None:
        """Brings what it needs onto this machine; quick if it is there.

        Raises:
            NotHereError: this user or this machine cannot.
        """

    def start(self, folder: Path) -> R_co:
        """Starts it in an empty folder and waits until it answers; the record says where."""

    def stop(self, folder: Path) -> None:
        """Ends everything that was started in that folder; quiet if nothing runs. The folder stays."""


@runtime_checkable
class SharedService(Service[R_co], Protocol[R_co]):
    """One that a machine has room for only once: processes that ask for it while it runs get the same."""

    def found(self, folder: Path) -> R_co:
        """The record of the one that another process started in the folder."""
