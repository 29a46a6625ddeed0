"""What a submission is called, and its tasks."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from secrets import token_hex

from sciflow.core.job import Job
from sciflow.executors.batch.record import TaskName
from sciflow.executors.request import Element, renumbered


def submission_name(executor: str) -> str:
    """A name that no other submission has, of this run or another; batch systems take it as it is."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", executor)[:100]
    plain = plain if plain[:1].isalpha() else f"j{plain}"
    return f"{plain}-{time.strftime('%m%d%H%M%S')}-{token_hex(4)}"


def task_names(elements: Sequence[Element]) -> tuple[tuple[TaskName, ...], ...]:
    """The tasks of a submission, by element, as the record has them."""
    return tuple(_names(element.job, k) for k, element in enumerate(elements))


def _names(job: Job, element: int) -> tuple[TaskName, ...]:
    there = renumbered(job, element)
    return tuple(
        TaskName(there.number(position), job.task_path(position), attempt)
        for position, attempt in enumerate(job.attempts)
    )
