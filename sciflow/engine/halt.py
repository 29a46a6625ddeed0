"""How far a run is halted, and why. Pure."""

from __future__ import annotations

from enum import IntEnum

import msgspec


class Level(IntEnum):
    """How far a halt goes."""

    NONE = 0
    PAUSE = 1  # nothing new until resumed
    STOP = 2  # nothing new; what runs may end
    KILL = 3  # what runs is killed


class Halt(msgspec.Struct, frozen=True):
    """Why the engine does not go on. After an interruption the run can be resumed; `ends` says that this is its end."""

    level: Level = Level.NONE
    why: str = ""
    ends: bool = False
    exit_handler: bool = True

    @property
    def leaves(self) -> bool:
        """Whether files of the run's result, and its storage, are not waited for."""
        return self.level is Level.KILL or (self.level > Level.NONE and not self.ends)

    @property
    def interrupts(self) -> bool:
        """Whether the engine is to leave, and the run can be resumed."""
        return self.level >= Level.STOP and not self.ends

    def followed_by(self, halt: Halt) -> Halt:
        """What holds when another one is asked for.

        An engine that is to end what runs leaves when it is interrupted: it may be waiting for a host that is down.
        """
        if halt.level is Level.KILL and self.level is Level.KILL and self.ends and not halt.ends:
            return msgspec.structs.replace(halt, why=f"{halt.why}; before, {self.why}: `sciflow cancel` sees to that")
        return halt if halt.level > self.level else self
