"""What a run has come to, as the pod recalls it that Argo begins at the run's end, however it ends."""

from __future__ import annotations

from collections.abc import Iterator

from sciflow.core.graph import OpTemplate
from sciflow.core.job import SINGLE
from sciflow.core.records import Phase
from sciflow.engine import binding
from sciflow.engine.activation import NodeRun
from sciflow.engine.binding import BindingError
from sciflow.pod.node_output import is_told, node_of, whole
from sciflow.pod.recollection import Recollection


class WholeRun(Recollection):
    """A run of which nothing is taken for granted."""

    def conclude(self) -> tuple[bytes | None, list[str]]:
        """The run's result; if it failed None, and why."""
        home = self._homes.main()
        self._homes.doubt(home)
        missing = [port.name for port in home.index.graph.inputs if port.name not in home.inputs]
        if missing:  # what it was given was no value, and so nothing has begun
            return None, [f"there is no value for {', '.join(missing)}"]
        for run in home.nodes:
            self._settle(run)
        failed = [run.path for run in home.nodes if run.phase is Phase.FAILED]
        if failed:
            whys = [f"{path}: {why}" for path, why in self._whys() if _is_of(path, failed)]
            return None, whys or failed
        try:
            text = binding.result_text(home, self._values)
            return whole(self.told(node_of(text))) if is_told(text) else text, []
        except BindingError as error:
            return None, [f"its result has no value: {error}"]

    def _whys(self) -> Iterator[tuple[str, str]]:
        """Why nodes and tasks have failed, by their paths."""
        yield from self._reasons.items()
        for run in self._homes.runs:
            if run.phase is Phase.FAILED and run.path not in self._reasons:
                yield from self._whys_of(run)

    def _whys_of(self, run: NodeRun) -> Iterator[tuple[str, str]]:
        if not isinstance(self._spec.templates[run.node.template], OpTemplate):
            return
        ends = self._source.ends(run.path, self._chunks(run))
        for slice_, end in sorted(ends.items()):
            told = end.told
            if told.phase != Phase.SUCCEEDED.value and told.extra is not None and told.extra.error is not None:
                error = told.extra.error
                path = run.path if slice_ == SINGLE else f"{run.path}/{slice_}"
                yield path, f"{error.type.rpartition(':')[2]}: {error.message}"
        if len(ends) < self._tasks(run).total:
            yield run.path, "its pod was lost, or came to no end"


def _is_of(path: str, nodes: list[str]) -> bool:
    return any(f"{path}/".startswith(f"{node}/") for node in nodes)
