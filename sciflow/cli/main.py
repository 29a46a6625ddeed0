"""The command `sciflow`: which commands there are, and what an error becomes.

Only click is imported here; a command's module, and with it rich, author or engine, is imported when it is used.

    0    succeeded
    1    the run, or a task of it, failed
    2    invalid: the command, the workflow, an argument or a setting
    130  interrupted
    141  whoever read the output went away
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

import click

from sciflow.errors import RunFailed, RunInterrupted, SciflowError
from sciflow.runner.failures import CodecError, CodeError

FAILED = 1
INVALID = 2
INTERRUPTED = 130
UNREAD = 141

# name -> module, attribute, one line of help; in the order in which they are listed
COMMANDS: Mapping[str, tuple[str, str, str]] = {
    "run": ("launching", "run", "Run a workflow or an op here, and wait for it."),
    "submit": ("launching", "submit", "Start a run that goes on without this terminal."),
    "plan": ("launching", "plan", "Say what a run would do, and what it would take from the cache."),
    "deploy": ("deploying", "deploy", "Let others start runs of a workflow on Argo, or begin them at times."),
    "deployed": ("deploying", "deployed", "List what is deployed on Argo, or remove it."),
    "list": ("inspection", "list_", "List the runs, newest last."),
    "adopt": ("adopting", "adopt", "Follow a run from here that was begun elsewhere, on Argo."),
    "show": ("inspection", "show_", "Show a run: its steps, and its result or what went wrong."),
    "watch": ("inspection", "watch", "Follow a run until it ends."),
    "logs": ("inspection", "logs", "Print what tasks wrote to stdout and stderr."),
    "table": ("inspection", "table", "A table of tasks: inputs, outputs, phase, time, error."),
    "result": ("inspection", "result", "Print the result of a run."),
    "explain": ("inspection", "explain", "Say why a task was run, or taken from the cache."),
    "graph": ("drawing", "graph", "Draw a workflow: Mermaid text, or SVG by graphviz."),
    "retry": ("control", "retry", "Run again what failed or was omitted, and nothing else."),
    "resubmit": ("control", "resubmit", "Run the same workflow with the same inputs once more, as a new run."),
    "resume": ("control", "resume", "Go on with a run that was suspended, stopped or killed."),
    "suspend": ("control", "suspend", "Begin no further task until the run is resumed."),
    "stop": ("control", "stop", "Begin no further task, let running ones end, call the exit handler."),
    "cancel": ("control", "cancel", "End a run at once: running tasks are killed."),
    "fetch": ("fetching", "fetch", "Bring home what tasks have left on other machines."),
    "clean": ("cleaning", "clean", "Remove old runs."),
    "config": ("settings", "config", "Show the settings, and where each comes from."),
    "connect": ("connecting", "connect", "Log in at a host, and keep the connection for all runs."),
    "doctor": ("checkup", "doctor", "Check this machine: what works, what is missing, what to do."),
}

EPILOG = """\b
A run goes by its id, the beginning of its id, its folder, or "last".
Completion: eval "$(_SCIFLOW_COMPLETE=bash_source sciflow)"   (or zsh, fish)
"""


ALSO = {  # words of others for it
    "delete": "clean",
    "errors": "show",
    "get": "show",
    "lint": "plan",
    "terminate": "cancel",
    "validate": "plan",
}


class LazyCommands(click.Group):
    """Imports a command's module when the command is used, and not to list it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"sciflow.cli.{module}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, _, about) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a hint for a misspelt name."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            meant = ALSO.get(args[0])
            told = (
                f"no such command: {args[0]}; did you mean {meant}?" if meant else unknown("command", args[0], COMMANDS)
            )
            raise click.UsageError(told, ctx)
        return super().resolve_command(ctx, args)


def unknown(what: str, name: str, known: Mapping[str, object] | Sequence[str]) -> str:
    """No such thing, and the name that was probably meant."""
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    return f"no such {what}: {name}" + (f"; did you mean {near[0]}?" if near else "")


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        click.echo(f"sciflow {version('sciflow-hpc')} (Python {sys.version.split()[0]})")
        ctx.exit()


@click.group(cls=LazyCommands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Say which version."
)
def sciflow() -> None:
    """Run scientific workflows, look at them, and go on where they stopped."""


def main() -> NoReturn:
    """The entry point: ends the process with the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 still gets its table
    try:
        code = exit_code(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever reads has had enough; what is still buffered must not raise again while Python shuts down
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = UNREAD
    sys.exit(code)


def exit_code(args: Sequence[str]) -> int:
    """Run one command; what sciflow and click raise becomes a message on standard error and an exit code."""
    if "_SCIFLOW_COMPLETE" in os.environ:
        sciflow.main(list(args), prog_name="sciflow")
    try:
        with sciflow.make_context("sciflow", list(args)) as context:
            code = sciflow.invoke(context)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return INVALID
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except RunInterrupted as error:
        click.echo(f"{error}", err=True)
        return INTERRUPTED
    except RunFailed as error:
        click.echo(f"{error}", err=True)
        return FAILED
    except (SciflowError, CodeError, CodecError) as error:
        click.echo(f"sciflow: {error}", err=True)
        return INVALID
    return code if isinstance(code, int) else 0
