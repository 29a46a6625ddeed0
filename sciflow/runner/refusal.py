"""Why a command of the engine is not done on this machine."""

from __future__ import annotations

from sciflow.runner.exit_codes import REFUSED


class Refusal(Exception):
    """The message says what was expected and what was found; `code` is the exit code."""

    def __init__(self, message: str, code: int = REFUSED) -> None:
        super().__init__(message)
        self.code = code
