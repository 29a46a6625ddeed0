"""Says why a task ran, was taken from the cache, or would run again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sciflow.core.graph import OpTemplate
from sciflow.core.job import SINGLE
from sciflow.core.records import Phase
from sciflow.engine import binding
from sciflow.engine.activation import NodeRun
from sciflow.engine.replica import Replica
from sciflow.engine.rows import NodeRow, TaskRow
from sciflow.errors import RunError


def explain(replica: Replica, path: str) -> str:
    """A few sentences about one task or node."""
    row, slice_ = replica.find(path)
    rows = replica.reader.tasks(row.id, slice_=slice_)
    if not rows:
        return _not_run(row)
    task = rows[0]
    if slice_ is None and task.slice != SINGLE:
        return _fan(path, rows)
    before = [_attempt(one) for one in replica.reader.attempts(row.id, task.slice)]
    return "\n".join([f"{path}: {task.phase.value} in attempt {task.attempt}", *before, *_source(replica, row, task)])


def _attempt(task: TaskRow) -> str:
    error = task.extra.error if task.extra else None
    why = f": {error.message.strip().partition(chr(10))[0]}" if error is not None else ""
    return f"    attempt {task.attempt}: {task.phase.value}{why}"


def _fan(path: str, rows: Sequence[TaskRow]) -> str:
    """How the slices came out, and the one to look at."""
    phases = Counter(task.phase.value for task in rows)
    facts = [f"{number} {phase.lower()}" for phase, number in phases.items()]
    cached = sum(1 for task in rows if task.cached)
    facts += [f"{cached} of them from the cache"] if cached else []
    computed = next((task for task in rows if not task.cached), rows[0])
    ended = "slice has ended" if len(rows) == 1 else "slices have ended"
    one = f"a slice goes by its number, as in {path}/{computed.slice}"
    return f"{path}: {len(rows)} {ended}: {', '.join(facts)}\n    {one}"


def _not_run(row: NodeRow) -> str:
    match row.phase:
        case Phase.SKIPPED:
            return f"{row.path}: Skipped, its condition was false"
        case Phase.OMITTED:
            return f"{row.path}: Omitted because of {row.because}"
        case phase:
            return f"{row.path}: {phase.value}, it has not ended"


def _source(replica: Replica, row: NodeRow, task: TaskRow) -> list[str]:
    if task.cached:
        return [f"    not run: its outcome was taken from {task.cached}"]
    try:
        run = replica.bound(row.path)
    except (binding.BindingError, LookupError) as error:
        raise RunError(f"{row.path}: its inputs cannot be told: {error}") from error
    template = replica.spec.templates[run.node.template]
    if not isinstance(template, OpTemplate) or not run.node.policy.cache:
        return ["    run: it does not use the cache (say `.options(cache=True)`)"]
    return ["    run: " + "; ".join(_reasons(replica, run, template, task))]


def _reasons(replica: Replica, run: NodeRun, template: OpTemplate, task: TaskRow) -> list[str]:
    """Why the task's outcome was not in the cache."""
    from sciflow.engine.cache import Cache
    from sciflow.engine.contents import Contents
    from sciflow.engine.fingerprint import fingerprint, parts_of
    from sciflow.engine.plan import warn

    assert run.tasks is not None
    need = binding.need_of(run, replica.values, "local")
    texts = binding.split_object(run.fixed)
    told = fingerprint(
        template,
        parts_of(template),
        need,
        fixed=texts,
        columns=run.tasks.columns,
        contents=Contents(replica.root),
    )
    cache = Cache(replica.root.parent / "cache.db", warn=warn, write=False)
    try:
        elements = () if task.slice == SINGLE else run.tasks.elements(task.slice)
        return cache.nearest(told, elements, besides=str(replica.root))
    finally:
        cache.close()
