"""What the batch system says of its queue, asked once for all runs on this machine that want to know it at a time."""

from __future__ import annotations

import os
import time

from sciflow.runner.file_lock import locked
from sciflow.runner.placing import write_whole
from sciflow.runner.text import dump, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Tree = Any


def queue_answer(asked: Tree, work_root: str | None) -> Tree:
    """Exit code and output of `argv`; an answer that another run got within `fresh_s` seconds will do."""
    from sciflow.runner.foreign import outcome

    argv, timeout_s, fresh_s = asked["argv"], asked["timeout_s"], asked.get("fresh_s") or 0
    if not work_root or not fresh_s:
        return {**outcome(argv, timeout_s=timeout_s), "clock": time.time()}
    from hashlib import sha256

    file = f"{work_root}/queue/{sha256(dump(argv).encode()).hexdigest()[:16]}"
    os.makedirs(os.path.dirname(file), exist_ok=True)
    with locked(f"{file}.lock", patience_s=timeout_s):
        known = _known(file)
        if known is not None and 0 <= time.time() - known["clock"] <= fresh_s:
            return known
        began = time.time()  # what it says is no newer than that
        answer = {**outcome(argv, timeout_s=timeout_s), "clock": began}
        try:  # noqa: SIM105  contextlib is slow to import
            write_whole(file, dump(answer).encode())
        except OSError:  # a full disk: the others ask for themselves
            pass
        return answer


def _known(file: str) -> Tree | None:
    try:
        with open(file, encoding="utf-8") as text:
            return parse(text.read())
    except (OSError, ValueError):
        return None
