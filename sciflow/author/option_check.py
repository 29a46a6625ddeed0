"""What is wrong with options: unknown names, values that cannot be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sciflow.author.active import TRACER
from sciflow.author.location import user_place
from sciflow.author.secret import SecretRef
from sciflow.core.naming import meant
from sciflow.errors import InvalidWorkflow, Problem
from sciflow.runner.duration import is_seconds

LARGEST = 2**63 - 1  # what a record holds of a whole number


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What an option takes: a test, and in words."""

    holds: Callable[[Any], bool]
    expected: str
    fix: str = ""


def refuse_names(unknown: Sequence[str], known: frozenset[str], of: str) -> None:
    """Note, or outside a workflow raise, a problem for each option that does not exist.

    Raises:
        InvalidWorkflow: nothing is being traced.
    """
    where = user_place()
    problems = [
        Problem(
            where=where, what=f"{of} has no option {n!r}", expected=_names(known), found=n, fix=meant(n, sorted(known))
        )
        for n in unknown
    ]
    tracer = TRACER.get()
    if tracer is None:
        raise InvalidWorkflow(problems)
    tracer.problems.extend(problems)


def unfit_values(
    settings: Mapping[str, Any], where: str, *, rules: Mapping[str, Rule] | None = None
) -> Iterator[Problem]:
    """A problem for each option whose value cannot be: by `RULES`, or by those of a run."""
    for name, value in settings.items():
        rule = (RULES if rules is None else rules).get(name)
        if rule is not None and not rule.holds(value):
            yield Problem(
                where=where,
                what=f"option {name} cannot be {_short(value)}",
                expected=rule.expected,
                found=_short(value),
                fix=rule.fix.format(name),
            )


def _names(known: frozenset[str]) -> str:
    return "one of " + ", ".join(sorted(known))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST


def _number(value: object) -> bool:
    return _whole(value) or (isinstance(value, float) and math.isfinite(value))


def _count(least: int, *, none: bool = False) -> Callable[[Any], bool]:
    return lambda v: (none and v is None) or (_whole(v) and v >= least)


def _seconds(*, none: bool = False) -> Callable[[Any], bool]:
    return lambda v: (none and v is None) or (is_seconds(v) and (v > 0 or not none))


def _texts(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value))


def _locks(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(k, str) and _count(1)(v) for k, v in value.items())
    return _texts(value)


def _environment(value: object) -> bool:
    return isinstance(value, Mapping) and all(_variable(k) and _content(v) for k, v in value.items())


def _variable(name: object) -> bool:
    return isinstance(name, str) and name != "" and not {"=", "\0"} & set(name)


def _content(value: object) -> bool:
    return isinstance(value, SecretRef) or (isinstance(value, str) and "\0" not in value)


def _exceptions(value: object) -> bool:
    classes = value if isinstance(value, (list, tuple)) else (value,)
    return all(isinstance(c, type) and issubclass(c, BaseException) for c in classes)


def _share(value: object) -> bool:
    return value is None or (_number(value) and ((isinstance(value, int) and value >= 0) or 0.0 <= value <= 1.0))  # type: ignore[operator]


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _flag_or_none(value: object) -> bool:
    return value is None or isinstance(value, bool)


def _name(value: object) -> bool:
    return isinstance(value, str) and value != "" and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _name_or_none(value: object) -> bool:
    return value is None or _name(value)


def _place(value: object) -> bool:
    return value is None or (isinstance(value, (str, Path)) and str(value) != "" and "\0" not in str(value))


def _by_key(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


_BOOL = Rule(holds=_flag, expected="True or False", fix="write {}=True")
_PATTERNS = Rule(holds=_texts, expected="file patterns", fix='write keep=["*.log", "trajectory.xyz"]')
RULES: Mapping[str, Rule] = {
    "retries": Rule(holds=_count(0), expected="a count from 0", fix="write {}=2"),
    "retry_on": Rule(holds=_exceptions, expected="exception classes", fix="write retry_on=[OSError, MyError]"),
    "backoff_s": Rule(holds=_seconds(), expected="seconds from 0", fix="write {}=1.5"),
    "backoff_factor": Rule(holds=lambda v: _number(v) and v >= 1, expected="a number from 1", fix="write {}=2"),
    "backoff_max_s": Rule(holds=_seconds(), expected="seconds from 0", fix="write {}=1.5"),
    "timeout_s": Rule(holds=_seconds(none=True), expected="seconds above 0, or None", fix="write {}=600"),
    "cache": _BOOL,
    "isolate": _BOOL,
    "priority": Rule(holds=_whole, expected="a whole number", fix="write {}=1"),
    "locks": Rule(
        holds=_locks,
        expected="names, or names with how many tasks may hold each",
        fix='write locks="disk" or locks={{"licence": 2}}',
    ),
    "keep": _PATTERNS,
    "never_keep": _PATTERNS,
    "env": Rule(
        holds=_environment,
        expected="variables, by names without =, with text or secret(...)",
        fix='write env={{"OMP_NUM_THREADS": "4"}}',
    ),
    "cpus": Rule(holds=_count(1), expected="a count from 1", fix="write {}=4"),
    "memory_mb": Rule(holds=_count(0), expected="MiB from 0", fix="write {}=2000"),
    "gpus": Rule(holds=_count(0), expected="a count from 0", fix="write {}=2"),
    "gpu_type": Rule(holds=_name, expected="the batch system's name of a kind of GPU", fix='write {}="a100"'),
    "ranks": Rule(holds=_count(1), expected="a count from 1", fix="write {}=16"),
    "nodes": Rule(holds=_count(1), expected="a count from 1", fix="write {}=2"),
    "walltime_s": Rule(holds=_seconds(none=True), expected="seconds above 0, or None", fix="write {}=3600"),
    "memory_growth": Rule(holds=lambda v: _number(v) and v >= 1, expected="a number from 1", fix="write {}=2"),
    "walltime_growth": Rule(holds=lambda v: _number(v) and v >= 1, expected="a number from 1", fix="write {}=2"),
    "chunk": Rule(holds=_count(1, none=True), expected="a count from 1, or None", fix="write {}=8"),
    "workers": Rule(holds=_count(1, none=True), expected="a count from 1, or None", fix="write {}=8"),
    "parallelism": Rule(holds=_count(1, none=True), expected="a count from 1, or None", fix="write {}=8"),
    "min_success": Rule(
        holds=_share,
        expected="a count from 0, or a ratio from 0.0 to 1.0",
        fix="write min_success=0.9 or min_success=10",
    ),
    "name": Rule(holds=_name, expected="text that can be read", fix='write {}="relax"'),
}
_SWITCH = Rule(holds=_flag_or_none, expected="True, False, or None for what the settings say", fix="write {}=True")
RUN_RULES: Mapping[str, Rule] = {  # where a run takes something else than a node, or alone takes it
    **RULES,
    "executor": Rule(holds=_name_or_none, expected="the name of an executor", fix='write {}="local"'),
    "storage": Rule(holds=_name_or_none, expected="the name of a storage", fix='write {}="s3"'),
    "memory_mb": Rule(holds=_count(1, none=True), expected="MiB from 1, or None", fix="write {}=2000"),
    "gpus": Rule(holds=_count(0, none=True), expected="a count from 0, or None", fix="write {}=2"),
    "runs": Rule(holds=_place, expected="the path of a folder, or None", fix='write {}="runs"'),
    "durable": _SWITCH,
    "progress": _SWITCH,
    "reuse": Rule(holds=_by_key, expected="tasks or values by key", fix='write reuse={{"relax-1": 3.0}}'),
}
