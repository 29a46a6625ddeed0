"""`sciflow run | submit | plan TARGET --input value ...`: the inputs of the workflow are options of the command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sciflow.cli.arguments import given, option_of
from sciflow.cli.duration import Seconds
from sciflow.cli.main import unknown
from sciflow.cli.output import note, show, show_json
from sciflow.view.quantity import count

if TYPE_CHECKING:
    from sciflow.cli.target import Opened
    from sciflow.core.graph import WorkflowSpec
    from sciflow.core.ports import Port
    from sciflow.engine.api import RunOptions

Act = Callable[["WorkflowSpec", "dict[str, Any]", "RunOptions", bool], int]
Launch = Callable[["Opened", "dict[str, Any]", "dict[str, Any]"], int]


class Name(click.ParamType[str]):
    """Text that is not empty."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text."""
        return value or self.fail("expected a name, found nothing", param, ctx)


OPTIONS: Sequence[click.Option] = (
    click.Option(["--on", "executor"], metavar="EXECUTOR", help="Where ops run that name no place themselves."),
    click.Option(["--storage"], metavar="STORAGE", help="Where the run's files are kept besides its folder."),
    click.Option(["--name"], type=Name(), help="Name of the run; by default the workflow's."),
    click.Option(["--runs"], type=click.Path(path_type=Path, file_okay=False), help="Folder of the run folders."),
    click.Option(
        ["--workers"], type=click.IntRange(min=1), metavar="N", help="Worker processes; by default the cores."
    ),
    click.Option(
        ["--memory-mb"], type=click.IntRange(min=1), metavar="N", help="Memory that all tasks together may ask for."
    ),
    click.Option(["--gpus"], type=click.IntRange(min=0), metavar="N", help="GPUs that tasks may ask for."),
    click.Option(["--parallelism"], type=click.IntRange(min=1), metavar="N", help="Tasks at once."),
    click.Option(["--timeout-s"], type=Seconds(), metavar="S", help="Stop the run after so long."),
    click.Option(["--durable/--no-durable"], default=None, help="Records survive a power cut, or not."),
    click.Option(["--progress/--no-progress"], default=None, help="Show progress on stderr, or do not."),
)


class TargetCommand(click.Command):
    """The command of one target: its inputs and the options of the run apart in the help."""

    inputs: frozenset[str] = frozenset()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Two sections."""
        for title, is_input in (("Inputs", True), ("Options of the run", False)):
            params = [param for param in self.get_params(ctx) if (param.name in self.inputs) is is_input]
            records = [record for param in params if (record := param.get_help_record(ctx)) is not None]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class TargetGroup(click.Group):
    """Takes a target where a group takes a command: each target has options of its own."""

    launch: Launch
    options: Sequence[click.Option]
    whole = True  # inputs without a default must be given

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The command that runs the target."""
        from sciflow.cli.target import open_workflow

        return _command(cmd_name, open_workflow(cmd_name), self)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """None: targets cannot be listed."""
        return []

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[click.shell_completion.CompletionItem]:
        """Files, beside the options."""
        from click.shell_completion import CompletionItem

        found = super().shell_complete(ctx, incomplete)
        return found if incomplete.startswith("-") else [CompletionItem(incomplete, type="file")]


def target_group(
    name: str, launch: Launch, about: str, *, options: Sequence[click.Option], whole: bool = True
) -> TargetGroup:
    """A command whose argument is a target, and whose options are those given and the target's inputs."""
    group = TargetGroup(
        name,
        params=[*options],
        help=about,
        subcommand_metavar="TARGET [INPUTS]...",
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    group.launch, group.options, group.whole = launch, options, whole
    return group


def as_json_option() -> click.Option:
    """Prints what programs read."""
    return click.Option(["--json", "as_json"], is_flag=True, default=None, help="Print JSON, for programs.")


PARAMETERS = "given_by_name"  # what -p takes, among click's parameters


def _command(name: str, opened: Opened, group: TargetGroup) -> click.Command:
    """The target's own command: an option per input, and those of the run whose names no input has."""
    ports = opened.spec.templates[opened.spec.entry].inputs  # type: ignore[union-attr]
    inputs = [option_of(port) for port in ports]
    for option in inputs:
        option.required = option.required and group.whole and not opened.file
    if opened.file:
        about = "An input, as argo submit takes it."
        inputs.append(click.Option(["-p", PARAMETERS], multiple=True, metavar="NAME=VALUE", help=about))
    taken = {spelling for option in inputs for spelling in (option.name, *option.opts)}
    of_run = [option for option in group.options if taken.isdisjoint((option.name, *option.opts))]

    @click.pass_context
    def call(ctx: click.Context, /, **values: Any) -> int:
        before = ctx.parent.params if ctx.parent else {}
        chosen = {o.name: values[o.name] for o in of_run if o.name and values.get(o.name) is not None}
        chosen = {key: value for key, value in before.items() if value is not None} | chosen
        found = given(values, ports)
        return group.launch(opened, _named(values.get(PARAMETERS) or (), ports) | found, chosen)

    command = TargetCommand(
        name,
        callback=call,
        params=[*inputs, *of_run],
        help=_about(opened, ports),
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    command.inputs = frozenset(option.name for option in inputs if option.name)
    return command


def _named(parameters: Sequence[str], ports: Sequence[Port]) -> dict[str, Any]:
    """Inputs given as `NAME=VALUE`, by the names that they have in the manifest."""
    from sciflow.author.session import legal_name

    found = {}
    for text in parameters:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"-p takes NAME=VALUE, found {text!r}")
        if legal_name(name) not in {port.name for port in ports}:
            raise click.UsageError(unknown("input", name, [port.name for port in ports]))
        found[legal_name(name)] = value
    return found


def _about(opened: Opened, ports: Sequence[Port]) -> str:
    first = (opened.verbs.__doc__ or "").strip().partition("\n\n")[0]
    return first or f"{opened.verbs.__name__}: {count(len(ports), 'input')}"


def _launching(act: Act) -> Launch:
    def launch(opened: Opened, values: dict[str, Any], chosen: dict[str, Any]) -> int:
        from sciflow.author.arguments import encode_arguments
        from sciflow.author.launch import run_options

        as_json = bool(chosen.pop("as_json", False))
        trees = encode_arguments(opened.spec, opened.verbs, (), values, where="command line")
        spec = _of_manifest(opened, trees, chosen.get("executor")) if opened.file else opened.spec
        return act(spec, trees, run_options(opened.verbs, chosen), as_json)

    return launch


def _of_manifest(opened: Opened, trees: dict[str, Any], executor: str | None) -> WorkflowSpec:
    """The workflow of a manifest as it is run; what was left aside is said."""
    from sciflow.author.argo_file.reading import with_values
    from sciflow.cli.manifest_place import placed

    for line in opened.notes:
        note(line)
    return with_values(placed(opened, executor), trees)


def _run(spec: WorkflowSpec, trees: dict[str, Any], options: RunOptions, as_json: bool) -> int:
    from sciflow.cli.ending import finish
    from sciflow.engine import api

    return finish(api.run(spec, trees, options=options), as_json=as_json)


def _submit(spec: WorkflowSpec, trees: dict[str, Any], options: RunOptions, as_json: bool) -> int:
    from sciflow.engine import api

    started = api.submit(spec, trees, options=options)
    if as_json:
        show_json({"id": started.id, "folder": started.folder})
        return 0
    click.echo(started.id)
    note(f"follow it with: sciflow watch {started.id}")
    return 0


def _plan(spec: WorkflowSpec, trees: dict[str, Any], options: RunOptions, as_json: bool) -> int:
    from sciflow.engine import api
    from sciflow.view.plan import for_terminal

    plan = api.plan(spec, trees, options=options)
    if as_json:
        show_json(plan)
    else:
        show(for_terminal(plan))
    return 0


def _group(name: str, act: Act, about: str) -> TargetGroup:
    return target_group(name, _launching(act), about, options=(*OPTIONS, as_json_option()))


run = _group("run", _run, "Run a workflow or an op here and wait for it: `sciflow run eos.py:eos --structure cu.cif`.")
submit = _group("submit", _submit, "Start a run that goes on without this terminal, and print its id.")
plan = _group("plan", _plan, "Say what a run would do, and what it would take from the cache; nothing is run.")
