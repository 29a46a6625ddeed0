"""Makes a run: a new folder that holds all that the run needs, however long it takes and wherever it goes on."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from sciflow import config
from sciflow.core.expr import Const, Tree
from sciflow.core.graph import Function, OpTemplate, Template, WorkflowSpec, encode_spec
from sciflow.core.records import Phase
from sciflow.engine.bringing import bring_values
from sciflow.engine.constants import map_constants
from sciflow.engine.intake import Intake, absolute
from sciflow.engine.origin import origin_of
from sciflow.engine.preflight import nodes_of, preflight
from sciflow.engine.records_writer import Writer
from sciflow.engine.run_folder import RunFolder, create_run_folder, reveal
from sciflow.engine.script import copy_script
from sciflow.engine.setup import RunOptions, RunSetup
from sciflow.engine.stowage_making import check_answers
from sciflow.engine.values import StoredValues
from sciflow.errors import RunDamaged
from sciflow.executors.capacity import Quota
from sciflow.executors.registry import conducts


def create_run(spec: WorkflowSpec, args: Mapping[str, Tree], options: RunOptions, *, detached: bool) -> RunFolder:
    """A run folder, ready for an engine.

    Raises:
        ConfigError: a setting will not do.
        RunDamaged: the folder cannot be made, or an input file cannot be read.
    """
    settings = config.load(arguments={"runs": options.runs, "durable": _durable(options.durable)})
    setup = setup_of(spec, options, settings, detached=detached)
    preflight(spec, setup, settings, args)
    check_answers(setup.storage, settings)
    return _create(settings.runs, spec, args, msgspec.structs.replace(setup, reuse=dict(options.reuse)))


def create_again(folder: RunFolder) -> RunFolder:
    """A new run of the same workflow with the same inputs, from its beginning; beside the one that there is.

    Raises:
        RunDamaged: the folder cannot be read, or the new one not be made.
    """
    origin, root = origin_of(folder), folder.root
    setup = origin.setup
    bring_values(root, [encode_spec(origin.spec), *map(msgspec.json.encode, (setup.reuse, origin.inputs))])
    spec = map_constants(_with_pickles(origin.spec, root), lambda tree: absolute(tree, root))
    reuse = {key: absolute(tree, root) for key, tree in setup.reuse.items()}
    args = {name: absolute(tree, root) for name, tree in origin.inputs.items()}
    preflight(spec, setup, config.load(), args)
    return _create(root.parent, spec, args, msgspec.structs.replace(setup, reuse=reuse))


def _create(runs: Path, spec: WorkflowSpec, args: Mapping[str, Tree], setup: RunSetup) -> RunFolder:
    folder = create_run_folder(runs, setup.name)
    try:
        _fill(folder, spec, args, setup)
        return reveal(folder)
    except BaseException as error:
        import shutil

        shutil.rmtree(folder.root, ignore_errors=True)
        if isinstance(error, OSError):
            raise RunDamaged(f"{error.filename or folder.root}: the run cannot be made: {error.strerror}") from error
        raise


def _fill(folder: RunFolder, spec: WorkflowSpec, args: Mapping[str, Tree], setup: RunSetup) -> None:
    values = StoredValues(folder.root, pack="values/0-inputs", inline_bytes=setup.inline_bytes, outputs=lambda _: ())
    intake = Intake(folder.root, values)
    inputs = {name: json.loads(intake.text(tree)) for name, tree in args.items()}
    taken = {key: json.loads(intake.text(tree)) for key, tree in setup.reuse.items()}
    spec = map_constants(_externalised(spec, folder), lambda tree: json.loads(intake.text(tree)))
    copy_script(setup.script, folder)
    db = Writer(folder.database, full=setup.durable == "full", hidden=True)
    db.put_fact("spec", encode_spec(spec))
    db.put_fact("inputs", msgspec.json.encode(inputs))
    db.put_fact("setup", msgspec.json.encode(msgspec.structs.replace(setup, reuse=taken)))
    db.put_fact("name", setup.name)
    db.put_fact("started", str(time.time()))
    db.put_fact("phase", Phase.PENDING.value)
    db.commit()
    db.close()


def setup_of(spec: WorkflowSpec, options: RunOptions, settings: config.Settings, *, detached: bool) -> RunSetup:
    """How a run is to be executed: what the caller says, else what the settings say."""

    def chosen(given: Any, setting: Any) -> Any:
        return setting if given is None else given

    return RunSetup(
        name=options.name or spec.name,
        executor=chosen(options.executor, _carrier(spec, settings) or settings.executor),
        storage=chosen(options.storage, settings.storage),
        workers=chosen(options.workers, settings.workers),
        memory_mb=chosen(options.memory_mb, settings.memory_mb),
        gpus=chosen(options.gpus, settings.gpus),
        parallelism=chosen(options.parallelism, settings.parallelism),
        timeout_s=chosen(options.timeout_s, settings.timeout_s),
        durable=settings.durable,
        inline_bytes=settings.inline_bytes,
        locks=dict(settings.locks),
        detached=detached,
        cwd=os.getcwd(),
        argv=options.argv,
        sys_path=options.sys_path,
        script=options.script,
        quota=Quota(cpus=options.workers, memory_mb=options.memory_mb, gpus=options.gpus),
    )


def _carrier(spec: WorkflowSpec, settings: config.Settings) -> str | None:
    """The executor that carries out whole runs, if all nodes name the same one: an op by itself, called `on` it."""
    named = {node.executor.value if isinstance(node.executor, Const) else "" for node in nodes_of(spec)}
    only = str(named.pop()) if len(named) == 1 else ""
    return only if conducts(only, settings.executors) else None


def _durable(durable: bool | None) -> str | None:
    return None if durable is None else "full" if durable else "normal"


def _externalised(spec: WorkflowSpec, folder: RunFolder) -> WorkflowSpec:
    """The workflow with pickled functions in files under `code/`."""

    def in_file(pickled: str) -> str:
        import hashlib

        data = base64.b64decode(pickled)
        file = f"code/{hashlib.sha256(data).hexdigest()[:16]}.pkl"
        (folder.root / file).write_bytes(data)
        return file

    return _map_pickles(spec, in_file)


def _with_pickles(spec: WorkflowSpec, root: Path) -> WorkflowSpec:
    """The inverse of `_externalised`."""
    return _map_pickles(spec, lambda file: base64.b64encode((root / file).read_bytes()).decode())


def _map_pickles(spec: WorkflowSpec, change: Callable[[str], str]) -> WorkflowSpec:
    def changed(template: Template) -> Template:
        match template:
            case OpTemplate(code=Function(pickled=str() as pickled) as code):
                code = msgspec.structs.replace(code, pickled=change(pickled))
                return msgspec.structs.replace(template, code=code)
            case _:
                return template

    return msgspec.structs.replace(spec, templates={name: changed(t) for name, t in spec.templates.items()})
