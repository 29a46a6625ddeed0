"""What a run has come to that no engine looks after: its phase, and its result for whoever wants to see it.

The result is written as `sciflow result --json` prints it, files as their keys in the bucket.
"""

from __future__ import annotations

import json
from pathlib import Path

from sciflow.core.expr import Tree
from sciflow.core.trees import with_inner, with_parts
from sciflow.engine.values import is_folded
from sciflow.executors.argo.place.layout import RESULT
from sciflow.pod.brought_values import BroughtValues
from sciflow.pod.run_view import RunView
from sciflow.pod.whole_run import WholeRun
from sciflow.pod.workplace import Workplace
from sciflow.runner.exit_codes import SOME_FAILED
from sciflow.view.plain import plain

SHOWN = 5  # reasons of a failure
LONGEST = 1000  # characters of a result that is printed


def end(work: Workplace) -> None:
    """Leaves the run's result; or says what has failed."""
    run, values = RunView(work).recall(WholeRun)
    text, reasons = run.conclude()
    if text is None:
        more = [f"and {len(reasons) - SHOWN} more"] if len(reasons) > SHOWN else []
        work.order(code=SOME_FAILED, message="\n".join(["the run has failed", *reasons[:SHOWN], *more]))
        return
    whole = _whole(json.loads(text), values)
    result = json.dumps(plain(whole, folder=Path(work.layout.part(""))), ensure_ascii=False).encode()
    (work.pod / RESULT).write_bytes(result)
    shown = result.decode() if len(result) <= LONGEST else f"{len(result):,} bytes of JSON, see the artifact result"
    work.order(code=0, message=f"result: {shown}")


def _whole(tree: Tree, values: BroughtValues) -> Tree:
    """A value with all that is stored elsewhere, but for files."""

    def whole(part: dict[str, Tree]) -> Tree:
        return _whole(values.unfold(part), values) if is_folded(part) else with_inner(part, whole)

    return with_parts(tree, whole)
