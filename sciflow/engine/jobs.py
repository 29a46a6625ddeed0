"""Tasks of a node as a job, with all that whoever runs them must know."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sciflow.core.graph import OpTemplate
from sciflow.core.job import Job, Need
from sciflow.engine import binding
from sciflow.engine.activation import NodeRun


def job_of(
    run: NodeRun,
    template: OpTemplate,
    need: Need,
    picked: Sequence[int],
    *,
    id_: int,
    key: Callable[[int], str | None],
) -> Job:
    """The tasks `picked` of a node that has begun; `key` tells the user's key of each."""
    tasks = run.tasks
    assert tasks is not None
    elements = [() if tasks.single else tasks.elements(i) for i in picked]
    return Job(
        id=id_,
        node=run.number,
        path=run.path,
        template=template,
        policy=run.node.policy,
        need=need,
        fixed=run.fixed,
        columns=tasks.columns,
        slices=picked,
        attempts=[tasks.attempts.get(i, 1) for i in picked] if tasks.attempts else (1,) * len(picked),
        elements=elements,
        keys=[key(i) for i in picked] if run.node.key else (None,) * len(picked),
        seed=run.seed,
        parallelism=binding.fan_of(run).parallelism,
        seeds=() if run.input_seed is None else list(map(run.input_seed, elements)),
    )
