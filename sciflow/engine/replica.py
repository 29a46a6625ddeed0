"""A run as it was, put together again from what is recorded: which inputs a task had, what its node looked like."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from sciflow.core.evaluation import Absent
from sciflow.core.expr import Tree
from sciflow.core.graph import EXIT_NODE, Graph
from sciflow.core.job import SINGLE
from sciflow.core.progress import Task
from sciflow.core.records import Phase, TaskError
from sciflow.core.trees import with_inner, with_parts
from sciflow.engine import binding
from sciflow.engine.activation import Activation, NodeRun, StepCount, TaskSet
from sciflow.engine.binding import BindingError
from sciflow.engine.graph_index import index_graph, index_spec
from sciflow.engine.intake import absolute
from sciflow.engine.origin import stored_inputs, stored_spec
from sciflow.engine.records_db import Reader
from sciflow.engine.rows import NodeRow, TaskRow
from sciflow.engine.values import StoredValues, is_folded
from sciflow.engine.walk import exit_graph
from sciflow.errors import RunError


class Replica:
    """Reads one run; made anew for each question, since the run may go on meanwhile."""

    def __init__(self, root: Path, reader: Reader) -> None:
        self.root = root
        self.reader = reader
        self.spec = stored_spec(reader)
        self.values = StoredValues(root, pack="", inline_bytes=1 << 62, outputs=reader.outputs)
        self._index = index_spec(self.spec)
        self._rows: dict[str, NodeRow] = {row.path: row for row in reader.nodes()}
        self._paths: dict[int, str] = {row.id: row.path for row in self._rows.values()}
        self._homes: dict[str, Activation] = {}
        self._bound: dict[str, NodeRun] = {}

    @property
    def nodes(self) -> Mapping[str, NodeRow]:
        """The nodes by path, in the order in which they came up."""
        return self._rows

    def find(self, path: str) -> tuple[NodeRow, int | None]:
        """The node of a path, and the slice if the path names one.

        Raises:
            RunError: no such task.
        """
        if path in self._rows:
            return self._rows[path], None
        above, _, last = path.rpartition("/")
        if above in self._rows and last.isdigit():
            row, slice_ = self._rows[above], int(last)
            if row.total is not None and slice_ >= row.total:
                there = f"{above}/0 to {above}/{row.total - 1}" if row.total else "none"
                raise RunError(f"no task {path!r} in this run; of {above} there are: {there}")
            return row, slice_
        raise RunError(f"no task {path!r} in this run; its nodes are: {', '.join(list(self._rows)[:20])}")

    def tasks(self, row: NodeRow, rows: list[TaskRow], *, inputs: bool = True) -> list[Task]:
        """Tasks of one node as records, with the inputs that they had."""
        run = self._bind(row.path) if inputs else None
        return [self._task(row, task, run) for task in rows]

    def node_task(self, row: NodeRow) -> Task:
        """A node of which no task ended: waiting, skipped, omitted, failed before it began, or without slices.

        Of a run that has ended none waits: what was not done is omitted.
        """
        error = None if row.error is None else msgspec.json.decode(row.error, type=TaskError)
        folder = self.root / "tasks" / row.path
        output: Tree = [] if row.total == 0 and row.phase is Phase.SUCCEEDED else None  # a fan over nothing
        given_up = not row.phase.ended and self.reader.text("phase") == Phase.FAILED.value
        phase = Phase.OMITTED if given_up else row.phase
        return Task(path=row.path, node=row.path, phase=phase, output=output, error=error, folder=folder)

    def _task(self, row: NodeRow, task: TaskRow, run: NodeRun | None) -> Task:
        single = task.slice == SINGLE
        path = row.path if single else f"{row.path}/{task.slice}"
        extra = task.extra
        return Task(
            path=path,
            node=row.path,
            slice=None if single else task.slice,
            phase=task.phase,
            attempt=task.attempt,
            key=task.key,
            inputs=self._inputs(run, task.slice),
            output=self.tree(task.output),
            error=extra.error if extra else None,
            facts=extra.facts if extra else {},
            flag=extra.flag if extra else "",
            cached=bool(task.cached),
            started=task.started or None,
            seconds=task.seconds,
            folder=self.root / "tasks" / path,
        )

    def tree(self, text: bytes | None) -> Tree:
        """A stored text as a tree: nothing left folded, files by their absolute paths."""
        return None if text is None else absolute(self._whole(json.loads(text)), self.root)

    def _whole(self, tree: Tree) -> Tree:
        return with_parts(tree, self._whole_part)

    def _whole_part(self, part: dict[str, Any]) -> Tree:
        if is_folded(part):
            return self._whole(self.values.unfold(part))
        return part if part["$"] == "ndarray" else with_inner(part, self._whole_part)

    # --- inputs

    def _inputs(self, run: NodeRun | None, slice_: int) -> dict[str, Tree] | None:
        if run is None or run.tasks is None:
            return None
        return {name: self.tree(text) for name, text in binding.slice_texts(run, slice_).items()}

    def _bind(self, path: str) -> NodeRun | None:
        """The node with its inputs and lists; None where they cannot be told (yet)."""
        if path not in self._bound:
            try:
                self._bound[path] = self.bound(path)
            except (BindingError, Absent, LookupError):
                return None
        return self._bound[path]

    def bound(self, path: str) -> NodeRun:
        """The node with its inputs and lists.

        Raises:
            BindingError, Absent, LookupError: what it needs is not there.
        """
        home = self._home(path)
        run = home.nodes[home.index.position[path.removeprefix(home.prefix)]]
        if run.tasks is not None and run.fixed != b"{}":
            return run
        for position in home.index.needs[run.position]:
            self._load(home.nodes[position])
        template = self.spec.templates[run.node.template]
        texts = binding.input_texts(run, binding.ports_of(template), self.values)
        run.fixed = binding.join_object(texts)
        run.tasks = binding.task_set(run, self.values)
        return run

    def _load(self, run: NodeRun) -> None:
        """Gives a needed node its output."""
        row = self._rows[run.path]
        if run.node.fan is None and row.phase is Phase.SUCCEEDED:
            (task,) = self.reader.tasks(row.id)
            run.output = task.output
        run.tasks = run.tasks or TaskSet(total=row.total or 0, single=run.node.fan is None)

    def _home(self, path: str) -> Activation:
        """The graph at work in which a node stands."""
        parts = path.split("/")
        if parts[-1] == EXIT_NODE and len(parts) == 1:
            return self._exit_home()
        prefix = "/".join(parts[:-1])
        if prefix not in self._homes:
            self._homes[prefix] = self._root_home() if not prefix else self._inner_home(prefix)
        return self._homes[prefix]

    def _exit_home(self) -> Activation:
        handler = self._index[self.spec.entry].graph.on_exit or ""
        phase = b'"%s"' % (self.reader.fact("exit-phase") or b"")
        return self._activation(Activation(index_graph(exit_graph(handler)), "", {"phase": phase}, None))

    def _root_home(self) -> Activation:
        inputs = {n: msgspec.json.encode(t) for n, t in stored_inputs(self.reader).items()}
        index = self._index[self.spec.entry]
        return self._activation(Activation(index, "", binding.graph_inputs(index.graph, inputs), None))

    def _inner_home(self, prefix: str) -> Activation:
        above, _, last = prefix.rpartition("/")
        path, slice_ = (above, int(last)) if last.isdigit() else (prefix, SINGLE)
        parent = self.bound(path)
        index = self._index[parent.node.template]
        assert isinstance(index.graph, Graph)
        inputs = binding.graph_inputs(index.graph, binding.slice_texts(parent, slice_))
        return self._activation(Activation(index, f"{prefix}/", inputs, parent, slice_))

    def _activation(self, home: Activation) -> Activation:
        for position, node in enumerate(home.index.graph.nodes):
            path = home.prefix + node.id
            row = self._rows.get(path)
            run = NodeRun(row.id if row else 0, path, node, position, home, 0, StepCount(path))
            run.phase = row.phase if row else Phase.PENDING
            home.nodes.append(run)
        return home
