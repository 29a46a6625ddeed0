"""Why a pod has failed, in a line: Kubernetes takes it for the pod's message, and Argo shows it with the node."""

from __future__ import annotations

import os

from sciflow.runner.text import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Tree = Any

PLACE = "/dev/termination-log"  # where Kubernetes looks, unless a container says otherwise
IN_MAILBOX = "message"
LONGEST = 200  # characters of what an exception says: Argo's object has room for a thousand such pods


def why_failed(outcomes: str) -> str:
    """The first of the tasks that have failed, by the file of a pod's outcomes; empty if none has."""
    try:
        with open(outcomes, encoding="utf-8") as file:
            head, _, *lines = file.read().rstrip("\n").split("\n")  # a text may hold other ends of lines
    except (FileNotFoundError, ValueError):
        return ""
    ends = {end[0]: end for end in map(parse, lines)}
    failed = [end for _, end in sorted(ends.items()) if end[5][2] != "Succeeded"]
    if not failed:
        return ""
    path, slice_ = parse(head)["path"], failed[0][0]
    error = (failed[0][5][8] or {}).get("error", {})
    said = " ".join(str(error.get("message", "")).split())
    said = said if len(said) <= LONGEST else f"{said[:LONGEST]}…"
    where = path if slice_ < 0 else f"{path}/{slice_}"
    more = f" (and {len(failed) - 1} more of {len(ends)} tasks)" if len(failed) > 1 else ""
    return f"{where}: {str(error.get('type', '')).rpartition(':')[2]}: {said}{more}"


def leave(text: str, mailbox: str = "") -> None:
    """Leaves it where Kubernetes looks, or for the container that the mailbox leads to."""
    place = f"{mailbox}/{IN_MAILBOX}" if mailbox else PLACE
    if text and (mailbox or os.path.exists(place)):
        try:
            with open(place, "w", encoding="utf-8") as file:
                file.write(text)
        except OSError:  # it is in the log, too
            pass
