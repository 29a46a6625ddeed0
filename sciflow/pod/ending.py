"""What a run has come to that no engine looks after: its phase, and its result for whoever wants to see it.

The result is written as `sciflow result --json` prints it, files as their keys in the bucket.
"""

from __future__ import annotations

import json
from pathlib import Path

from sciflow.core.expr import Tree
from sciflow.executors.argo.place.layout import RESULT
from sciflow.pod.binder import Binder
from sciflow.pod.whole_run import Conclusion
from sciflow.runner.exit_codes import SOME_FAILED
from sciflow.view.plain import plain

SHOWN = 5  # reasons of a failure
LONGEST = 1000  # characters of a result that is printed


class Ender(Binder):
    """Finds it out as the pods of other nodes find out what they are given."""

    def end(self) -> None:
        """Leaves the result; or says what has failed."""
        run, self.values = self.recall(Conclusion)
        text, reasons = run.conclude()
        if text is None:
            more = [f"and {len(reasons) - SHOWN} more"] if len(reasons) > SHOWN else []
            self._tell(code=SOME_FAILED, message="\n".join(["the run has failed", *reasons[:SHOWN], *more]))
            return
        whole = self._whole(json.loads(text))
        result = json.dumps(plain(whole, folder=Path(self._layout.part(""))), ensure_ascii=False).encode()
        (self._pod / RESULT).write_bytes(result)
        shown = result.decode() if len(result) <= LONGEST else f"{len(result):,} bytes of JSON, see the artifact result"
        self._tell(code=0, message=f"result: {shown}")

    def _whole(self, tree: Tree) -> Tree:
        """A value with all that is stored elsewhere, but for files."""
        match tree:
            case {"$": "value"}:
                return self._whole(self.values.unfold(tree))
            case dict():
                return {name: self._whole(value) for name, value in tree.items()}
            case list():
                return [self._whole(value) for value in tree]
            case _:
                return tree
