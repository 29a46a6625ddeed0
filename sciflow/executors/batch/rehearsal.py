"""Whether a batch system can be asked for some resources, found out by writing a script that nobody submits."""

from __future__ import annotations

import msgspec

from sciflow.core.graph import Resources
from sciflow.errors import ConfigError
from sciflow.executors.settings import BatchSettings
from sciflow.executors.settings_check import kind_of
from sciflow.executors.systems.system import BatchSystem, Submission

NOWHERE = "/nowhere"


def refusal(settings: BatchSettings, wanted: Resources) -> str:
    """Why jobs of these resources can never be submitted; "" if they can."""
    needs = {"runner": NOWHERE, "work_root": NOWHERE} if settings.system == "shell" else {}
    system: BatchSystem = msgspec.convert({**settings.options, **needs}, type=kind_of(settings.system))
    submission = Submission(
        name="rehearsal",
        folder=NOWHERE,
        elements=1,
        throttle=settings.throttle,
        resources=wanted,
        walltime_s=wanted.walltime_s or settings.walltime_s,
        site=settings.site,
        command=("true",),
    )
    try:
        system.script(submission)
    except ConfigError as error:
        return str(error)
    return ""
