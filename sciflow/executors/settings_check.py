"""What is wrong with the settings of an executor: everything at once, each with its place and what to do."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import inspect

from sciflow.core.graph import Secret
from sciflow.errors import Problem
from sciflow.executors.origins import origin
from sciflow.executors.systems import directives
from sciflow.runner.duration import is_seconds

if TYPE_CHECKING:
    from sciflow.executors.settings import ArgoSettings, BatchSettings

Check = Callable[[Any], bool]

AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([hdw])")
UNITS_S = {"h": 3600, "d": 86400, "w": 7 * 86400}
SECONDS = ("a number above 0", lambda value: is_seconds(value) and value > 0)
COUNT = ("a whole number from 1", lambda value: value >= 1)


def _is_address(text: str) -> bool:
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    return url.scheme in ("http", "https") and bool(url.hostname) and "@" not in url.netloc


ADDRESS = ("https://HOST or https://HOST:PORT, without a name or password in it", _is_address)
RULES: Mapping[str, tuple[str, Check]] = {
    "server": ADDRESS,
    "endpoint_inside": (ADDRESS[0], lambda value: not value or _is_address(value)),
    "walltime_s": SECONDS,
    "elements": COUNT,
    "throttle": COUNT,
    "workers": COUNT,
    "pods": COUNT,
    "most_pods": COUNT,
    "parallelism": COUNT,
    "lost_retries": ("a whole number from 0", lambda value: value >= 0),
    "cpus": COUNT,
    "memory_mb": COUNT,
    "gpus": ("a whole number from 0", lambda value: value >= 0),
    "look_least_s": SECONDS,
    "look_most_s": SECONDS,
    "marks_patience_s": SECONDS,
    "keep_workflow_s": ("a whole number from 0", lambda value: value >= 0),
}
WORDS: Mapping[type, str] = {
    inspect.StrType: "text",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
    inspect.VarTupleType: "a list",
    inspect.DictType: "a table",
    inspect.StructType: "a table",
    inspect.NoneType: "",
}
SYSTEMS: Mapping[str, tuple[str, str]] = {
    "slurm": ("slurm", "Slurm"),
    "pbs": ("pbs", "PBS"),
    "lsf": ("lsf", "LSF"),
    "sge": ("sge", "SGE"),
    "shell": ("shell", "Shell"),
}
NO_OPTIONS = frozenset({"name", "runner", "work_root", "python", "kept"})  # of a system, which others than users set


def problems_of(name: str, table: Mapping[str, Any], kind: type[msgspec.Struct]) -> list[Problem]:
    """All that is wrong with the table of an executor; `kind` is the record of its type."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    given = {key: value for key, value in table.items() if key != "type"}
    found = [_unknown(name, key, tuple(fields)) for key in given if key not in fields]
    found += [_missing(name, field) for field in fields.values() if field.required and field.encode_name not in given]
    for key, field in fields.items():
        if key in given:
            found += _unfit(name, key, given[key], field)
    return found


def _unknown(name: str, key: str, known: tuple[str, ...]) -> Problem:
    near = difflib.get_close_matches(key, known, n=1)
    return Problem(
        where=origin(name, key),
        what=f"executor {name}: unknown setting {key!r}",
        expected="one of " + ", ".join(("type", *known)),
        fix=f"did you mean {near[0]!r}?" if near else "remove it",
    )


def _missing(name: str, field: msgspec.structs.FieldInfo) -> Problem:
    expected = _expected(inspect.type_info(field.type))
    what = f"executor {name}: {field.encode_name} is missing"
    return Problem(where=origin(name), what=what, expected=expected, fix=f"add a line `{field.encode_name} = ...`")


def _unfit(name: str, key: str, value: Any, field: msgspec.structs.FieldInfo) -> Iterator[Problem]:
    info = inspect.type_info(field.type)
    what = f"executor {name}: {key} has a value that will not do"
    try:
        fitting = msgspec.convert(value, type=field.type)
    except msgspec.ValidationError as error:
        choices = _choices(info)
        near = difflib.get_close_matches(str(value), choices, n=1)
        inner = str(error) if isinstance(value, (dict, list)) else ""
        yield Problem(
            where=origin(name, key),
            what=what,
            expected=_expected(info),
            found=_shown(value, info) + (f": {inner}" if inner else ""),
            fix=f"did you mean {near[0]!r}?" if near else _remedy(key, value, info),
        )
        return
    expected, holds = RULES.get(key, ("", bool))
    if expected and fitting is not None and not holds(fitting):
        yield Problem(where=origin(name, key), what=what, expected=expected, found=_shown(value, info))


def _remedy(key: str, value: Any, info: inspect.Type) -> str:
    """For one text where a list of them belongs, or a reference."""
    if not isinstance(value, str):
        return ""
    if _is_secret(info):
        return f'put it into the environment, and write {key} = {{ env = "NAME" }}, or {key} = {{ file = "PATH" }}'
    return f'write {key} = ["{value}"]' if isinstance(info, inspect.VarTupleType) else ""


def _shown(value: Any, info: inspect.Type) -> str:
    """A value that will not do; not one that may be a secret."""
    if _is_secret(info):
        return "the secret itself" if isinstance(value, str) else f"a {type(value).__name__}"
    return "an address with a name or password in it" if "@" in str(value) and "://" in str(value) else repr(value)


def _is_secret(info: inspect.Type) -> bool:
    types = info.types if isinstance(info, inspect.UnionType) else (info,)
    return any(isinstance(one, inspect.StructType) and one.cls is Secret for one in types)


def _expected(info: inspect.Type) -> str:
    if isinstance(info, inspect.UnionType):
        return " or ".join(filter(None, dict.fromkeys(map(_expected, info.types))))
    if choices := _choices(info):
        return f"one of {', '.join(choices)}" if len(choices) > 1 else repr(choices[0])
    if isinstance(info, inspect.VarTupleType) and isinstance(info.item_type, inspect.StrType):
        return "a list of texts"
    return WORDS.get(type(info), "")


def _choices(info: inspect.Type) -> list[str]:
    match info:
        case inspect.LiteralType(values=values):
            return list(map(str, values))
        case inspect.UnionType(types=types):
            return [choice for type_ in types for choice in _choices(type_)]
        case _:
            return []


# --- what does not go together


def problems_of_batch(name: str, settings: BatchSettings) -> list[Problem]:
    """What is wrong although each setting by itself will do."""
    checks = (_work_root, _ssh_config, _looks, _cleanup, _options)
    return [problem for check in checks for problem in check(name, settings)]


def problems_of_argo_place(name: str, settings: ArgoSettings) -> Iterator[Problem]:
    """Where its workflows are is said once."""
    if not settings.server and not settings.kubeconfig:
        yield Problem(
            where=origin(name),
            what=f"executor {name}: server is missing",
            expected="the address of Argo's server; or `kubeconfig`, where there is no such server",
            fix='add a line `server = "https://..."`, or `kubeconfig = "~/.kube/config"`',
        )
    elif settings.server and settings.kubeconfig:
        what = f"executor {name}: server and kubeconfig, of which one will do"
        fix = "leave kubeconfig out: Argo's server does more"
        yield Problem(where=origin(name, "kubeconfig"), what=what, fix=fix)
    only = {"context": "kubeconfig", "token": "server", "ca_file": "server"}
    for key, needed in only.items():
        if getattr(settings, key) and not getattr(settings, needed) and (settings.server or settings.kubeconfig):
            what = f"executor {name}: {key} without {needed}"
            fix = f"leave {key} out" + ("" if key == "context" else ": the kubeconfig says it")
            yield Problem(where=origin(name, key), what=what, fix=fix)


def _work_root(name: str, settings: BatchSettings) -> Iterator[Problem]:
    what = f"executor {name}: work_root "
    expected = "an absolute path or one that begins with ~, on a file system that the nodes see too"
    if settings.host and not settings.work_root:
        fix = f'add a line such as work_root = "/scratch/you/sciflow": a folder on {settings.host}'
        yield Problem(where=origin(name), what=f"{what}is missing", expected=expected, fix=fix)
    elif settings.work_root and not settings.work_root.startswith(("/", "~")):
        where = origin(name, "work_root")
        yield Problem(where=where, what=f"{what}will not do", expected=expected, found=repr(settings.work_root))
    elif misfits := misfits_of(settings, settings.work_root):
        what = f"{what}cannot be written in a job script of {settings.system}: it has {misfits}"
        fix = "choose another folder, or name a link to this one that has none of these"
        yield Problem(where=origin(name, "work_root"), what=what, found=repr(settings.work_root), fix=fix)


def _ssh_config(name: str, settings: BatchSettings) -> Iterator[Problem]:
    if settings.ssh_config and not settings.host:
        what = f"executor {name}: ssh_config without host"
        yield Problem(where=origin(name, "ssh_config"), what=what, fix="name the host, or leave ssh_config out")
    elif settings.ssh_config and not Path(settings.ssh_config).expanduser().is_file():
        what, found = f"executor {name}: no such ssh_config", settings.ssh_config
        yield Problem(where=origin(name, "ssh_config"), what=what, expected="a file like ~/.ssh/config", found=found)


def _looks(name: str, settings: BatchSettings) -> Iterator[Problem]:
    if settings.look_least_s > settings.look_most_s:
        found = f"look_least_s = {settings.look_least_s:g}, look_most_s = {settings.look_most_s:g}"
        what = f"executor {name}: look_least_s is more than look_most_s"
        yield Problem(where=origin(name, "look_least_s"), what=what, found=found)


def _cleanup(name: str, settings: BatchSettings) -> Iterator[Problem]:
    return problems_of_cleanup(name, settings.cleanup)


def problems_of_cleanup(name: str, cleanup: str) -> Iterator[Problem]:
    """Of what becomes of a run's files at an executor."""
    if cleanup not in {"keep", "on_success"} and AGE.fullmatch(cleanup) is None:
        yield Problem(
            where=origin(name, "cleanup"),
            what=f"executor {name}: cleanup has a value that will not do",
            expected='"keep", "on_success", or an age such as "12h", "30d", "2w"',
            found=repr(cleanup),
        )


def _options(name: str, settings: BatchSettings) -> Iterator[Problem]:
    """Those of the batch system."""
    record = kind_of(settings.system)
    known = {f.encode_name: f for f in msgspec.structs.fields(record) if f.encode_name not in NO_OPTIONS}
    for key, value in settings.options.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            yield Problem(
                where=origin(name, "options"),
                what=f"executor {name}: {settings.system} has no option {key!r}",
                expected="one of " + ", ".join(known) if known else "none",
                fix=f"did you mean {near[0]!r}?" if near else "remove it",
            )
        else:
            for problem in _unfit(name, key, value, known[key]):
                yield problem._replace(where=origin(name, "options"))


def kind_of(system: str) -> Any:
    """The class of a batch system."""
    module, kind = SYSTEMS[system]
    return getattr(importlib.import_module(f"sciflow.executors.systems.{module}"), kind)


def misfits_of(settings: BatchSettings, folder: str) -> str:
    """What keeps a folder from being named in job scripts of an executor, as people read it; "" if nothing does."""
    return directives.misfits(folder, kind_of(settings.system).unwritable)


def age_s(cleanup: str) -> float | None:
    """The age of a `cleanup` that names one."""
    found = AGE.fullmatch(cleanup)
    return float(found[1]) * UNITS_S[found[2]] if found else None
