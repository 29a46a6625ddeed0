"""What executors are told of a run, or of a workflow that is deployed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from sciflow.config import Settings
from sciflow.core.graph import Function, OpTemplate, WorkflowSpec
from sciflow.engine.origin import Origin
from sciflow.executors.dispatched import dispatchers_of
from sciflow.executors.errand import Errand, Whole


def errand_of(
    origin: Origin,
    whole: Whole,
    *,
    root: Path,
    script: Path | None,
    settings: Settings,
    begun_elsewhere: bool = False,
    is_over: Callable[[str, int], bool] = lambda _path, _attempt: False,
) -> Errand:
    """What every executor is told.

    Args:
        origin: what the run was made of.
        whole: the run as a whole.
        root: its folder.
        script: the copy under `root`, if there is one.
        settings: those of this machine.
        begun_elsewhere: what the run says of files of its author's machine is not looked for here.
        is_over: see `Errand`.
    """
    setup = origin.setup
    return Errand(
        root=root,
        sys_path=setup.sys_path,
        argv=setup.argv,
        main=None if script is None else f"code/{script.name}",
        inline_bytes=setup.inline_bytes,
        code=_bundle(origin.spec, setup.sys_path, script=script, anywhere=not begun_elsewhere),
        host=settings.host,
        quota=setup.quota,
        whole=whole,
        is_over=is_over,
    )


def whole_of(origin: Origin, settings: Settings) -> Whole:
    """What the run is as a whole, on which nobody has been at work."""
    setup = origin.setup
    return Whole(
        spec=origin.spec,
        inputs=origin.inputs,
        reuse=setup.reuse,
        timeout_s=setup.timeout_s,
        parallelism=setup.parallelism,
        locks=dict(settings.locks) | setup.locks,
        setup=msgspec.Raw(msgspec.json.encode(setup)),
        dispatchers=dispatchers_of(origin.spec, settings.executors),
    )


def _bundle(spec: WorkflowSpec, sys_path: Sequence[str], *, script: Path | None, anywhere: bool) -> Mapping[str, bytes]:
    """The user's own modules that ops of the workflow need, by the name of their content.

    `anywhere`: a script may lie outside of the run's folder.
    """
    from sciflow.executors.package import user_bundle

    functions = [t.code for t in spec.templates.values() if isinstance(t, OpTemplate) and isinstance(t.code, Function)]
    modules = {code.script or code.module for code in functions if code.pickled is None}
    if script is not None:  # a script that is not on this machine is had from its copy
        modules = {str(script) if os.path.isabs(m) and not (anywhere and os.path.exists(m)) else m for m in modules}
    elif not anywhere:
        modules = {module for module in modules if not os.path.isabs(module)}
    bundle = user_bundle(modules, sys_path)
    return {bundle.name: bundle.content}
