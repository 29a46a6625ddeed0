"""How a program's template says that it is to be run: retries, time limits, resources."""

from __future__ import annotations

import math

from sciflow.author.argo_file import fields
from sciflow.author.argo_file.fields import check
from sciflow.author.argo_file.quantity import amount, megabytes, seconds
from sciflow.author.argo_file.source import At
from sciflow.core.graph import Policy, Resources

FAILED = "sciflow.runner.program:ProgramError"
WITHOUT_LIMIT = 1_000_000  # as many retries as anybody has patience for


def policy_of(at: At) -> Policy:
    """Retries and time limit of a template."""
    limits = [one for name in ("activeDeadlineSeconds", "timeout") if (one := duration(at.get(name))) is not None]
    retry = at.get("retryStrategy")
    if retry is None:
        return Policy(timeout_s=min(limits, default=None))
    check(retry, fields.RETRY, "retryStrategy")
    chosen = retry.text("retryPolicy") or ("OnFailure" if retry.get("limit") is None else "Always")
    if chosen not in ("Always", "OnFailure", "OnError", "OnTransientError"):
        what = "retryPolicy is not known"
        retry.say(what, expected="Always, OnFailure, OnError, OnTransientError", found=chosen, fix="choose one")
    backoff = retry.get("backoff")
    if backoff is not None:
        check(backoff, fields.BACKOFF, "backoff")
    first_s = duration(retry.get("backoff", "duration")) or 0.0
    cap_s = duration(retry.get("backoff", "cap"))
    return Policy(
        timeout_s=min(limits, default=None),
        retries=number(retry.get("limit"), WITHOUT_LIMIT),
        retry_on=(FAILED,) if chosen in ("Always", "OnFailure") else (),
        backoff_s=first_s,
        backoff_factor=float(number(retry.get("backoff", "factor"), 1)),
        backoff_max_s=cap_s if cap_s is not None else max(first_s, 86400.0),
    )


def resources_of(container: At) -> Resources:
    """Cores, memory and GPUs: what is the limit, else what is asked for."""
    found: dict[str, At] = {}
    for kind in ("requests", "limits"):
        part = container.get("resources", kind)
        found.update({} if part is None else part.fields)
    cpus, memory, gpus = 1, 0, 0
    for name, at in found.items():
        size = megabytes(at.text()) if name == "memory" else amount(at.text())
        if size is None:
            at.say("is no amount", expected="500m, 2, 4Gi", found=at.text(), fix="write a number with its unit")
        elif name == "cpu":
            cpus = max(1, math.ceil(size))
        elif name == "memory":
            memory = int(size)
        elif name == "nvidia.com/gpu":
            gpus = int(size)
        else:
            at.note("has no meaning here and is left aside")
    return Resources(cpus=cpus, memory_mb=memory, gpus=gpus)


def duration(at: At | None) -> float | None:
    """Seconds; None if nothing is said, or nothing that can be read."""
    if at is None:
        return None
    found = seconds(at.text())
    if found is None:
        at.say("is no duration", expected='seconds, or "1m30s"', found=at.text(), fix="write it out, without tags")
    return found


def number(at: At | None, default: int) -> int:
    """A whole number that is written out."""
    if at is None:
        return default
    if at.text().isdigit():
        return int(at.text())
    at.say("is no number", expected="a whole number", found=at.text(), fix="write it out, without tags")
    return default
