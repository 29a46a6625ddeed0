"""The part of a job script that is the same for all batch systems: it runs one element and tells of a hard end.

The script stays while the runner runs, since only so can it say with what code the runner ended when that could not
say it itself: `died/<K>` is written by a trap, also when a line of the prologue ends the script. Signals that a batch
system sends to the script before it ends a job are passed on; the runner knows two, SIGTERM and SIGUSR1.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from sciflow.executors.systems.system import Submission

_TEMPLATE = """\
folder={folder}
element=$(({element}))
members={members}
runner=
told=
leave() {{
    code=$?
    trap - EXIT
    for each in $members; do
        [ ! -e "$folder/done/$each" ] && [ ! -e "$folder/died/$each" ] || continue
        mkdir -p "$folder/died"
        echo "$code" > "$folder/died/.$each"
        mv -f "$folder/died/.$each" "$folder/died/$each"
    done
    exit "$code"
}}
tell() {{
    told=1
    kill -s "$1" "$runner" 2> /dev/null
}}
trap leave EXIT
{captured}cd "$folder" || exit
for each in $members; do
    [ ! -e "$folder/died/$each" ] || rm -f "$folder/died/$each"
done
{prologue}
{command} "$element" < /dev/null &
runner=$!
trap 'tell TERM' TERM INT HUP
trap 'tell USR1' USR1 USR2 XCPU
wait "$runner"
code=$?
while [ -n "$told" ]; do
    told=
    wait "$runner"
    code=$?
done
exit "$code"
"""


def script(
    directives: Iterable[str], submission: Submission, *, mark: str, element: str, captured: bool = False
) -> str:
    """A whole script.

    Args:
        directives: without the mark.
        submission: gives prologue, command and folder.
        mark: what a directive begins with.
        element: arithmetic of a shell that gives the number from 0 of the element, or of the crew.
        captured: the script writes `out/<K>` itself, since the system would do so late or under another name.
    """
    head = ["#!/bin/bash", *(f"{mark} {directive}" for directive in directives)]
    body = _TEMPLATE.format(
        folder=shlex.quote(submission.folder),
        element=element,
        members=_members(submission),
        captured='[ -d "$folder/out" ] || mkdir -p "$folder/out"\nexec >> "$folder/out/$element" 2>&1\n'
        if captured
        else "",
        prologue="\n".join(submission.site.prologue) or ":",
        command=shlex.join(submission.command),
    )
    return "\n".join([*head, "", body])


def _members(submission: Submission) -> str:
    """The elements of one job, in words of a shell: that of its number, or those of its crew."""
    crew = submission.crew
    if crew is None:
        return "$element"
    first, last = f"element * {crew.workers}", f"element * {crew.workers} + {crew.workers - 1}"
    return f"$(seq $(({first})) $(({last} < {crew.elements} ? {last} : {crew.elements - 1})))"
