"""The tasks of a pod as a batch for the runner, with the code that they need: what is run first, and may be again."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sciflow.core.job import Job
from sciflow.executors.archive import unpack
from sciflow.executors.argo.place.facts import Facts
from sciflow.executors.request import Surroundings, element_of, environment, payload, renumbered
from sciflow.pod.workplace import CODE, Workplace
from sciflow.runner.node import started

BUNDLE = "code.tar"  # in the pod's folder: the user's modules


def write_first_round(work: Workplace, facts: Facts, name: str, job: Job) -> list[Job]:
    """Writes the batch; its jobs, with the numbers that their tasks have in it. What they leave is called so, too."""
    modules = bring_code(work, facts)
    if modules is not None:
        work.code.mkdir()
        unpack(modules, work.code / facts.bundle)
    most = 1 if job.policy.locks else job.parallelism or facts.workers
    workers = max(1, min(facts.workers, len(job.slices), most))
    shares = [range(k, len(job.slices), workers) for k in range(workers)]
    elements = [element_of(job, share, ()) for share in shares]
    env, _ = environment(job.need)
    gpus = job.need.resources.gpus
    made = payload(name, elements, around=_surroundings(facts), env=env, gpus=gpus, walltime_s=None)
    folder = work.pod / "1"
    folder.mkdir()
    crew = {
        "workers": workers,
        "command": started(work.setup.python, work.setup.runner, "element", str(folder)),
        "gpus": gpus,
        "whole": False,
    }
    place = {"root": str(work.root), "depot": str(work.setup.volume), "crew": crew, **work.mailbox}
    (folder / "requests").write_bytes(made.requests)
    (folder / "index.json").write_bytes(msgspec.json.encode({**made.index, **place}))
    return [renumbered(element.job, k) for k, element in enumerate(elements)]


def _surroundings(facts: Facts) -> Surroundings:
    return Surroundings(
        sys_path=[f"$DEPOT/{CODE}/{facts.bundle}"] if facts.bundle else [],
        argv=facts.argv,
        main=f"$ROOT/{facts.main}" if facts.main else None,
        host=facts.host,
        inline_bytes=facts.inline_bytes,
        at=facts.executor,
    )


def bring_code(work: Workplace, facts: Facts) -> Path | None:
    """Brings the script, and functions that are in no file; and the user's modules as an archive, if there are any."""
    (work.root / "code").mkdir()
    for file in facts.code:
        work.bucket.fetch(work.layout.part(f"code/{file}"), work.root / "code" / file)
    if not facts.bundle:
        return None
    work.bucket.fetch(work.layout.code(facts.bundle), work.pod / BUNDLE)
    return work.pod / BUNDLE
