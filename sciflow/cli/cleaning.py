"""`sciflow clean`: old runs removed, never one that an engine works on; and what creations that were killed left."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from sciflow.cli.duration import Age
from sciflow.cli.output import note, show
from sciflow.cli.reference import runs_folder, runs_option
from sciflow.core.progress import RunSummary
from sciflow.core.records import Phase
from sciflow.errors import RunBusy
from sciflow.view.quantity import count, size

ABANDONED_S = 86400.0  # without a change to a run that is being made: nobody is at it any more


@click.command()
@runs_option
@click.option("--older", type=Age(), help="Runs that started longer ago than 12h, 30d, 2w.")
@click.option(
    "--phase",
    "phases",
    multiple=True,
    type=click.Choice([p.value for p in Phase], case_sensitive=False),
    metavar="PHASE",
    help="Runs in this phase; may be given several times.",
)
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="All but the newest so many.")
@click.option("--remote", is_flag=True, help="Not the runs: what they have left on other machines, once it is home.")
@click.option("--discard", is_flag=True, help="With --remote: what is not home yet is lost.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def clean(
    *,
    runs: Path | None,
    older: float | None,
    phases: tuple[str, ...],
    keep: int | None,
    remote: bool,
    discard: bool,
    dry_run: bool,
    yes: bool,
) -> int:
    """Remove runs that meet every condition given: age, phase, number kept. A run that goes on is never removed.

    Runs of which the making was killed halfway go too, a day after.

    With --remote the runs stay, and what they have left on other machines is removed there.
    """
    from sciflow.engine import api

    if discard and not remote:
        raise click.UsageError("--discard goes with --remote")
    if older is None and not phases and keep is None and not remote:
        raise click.UsageError("say which: --older 30d, --phase Failed, --keep 10; together they must all hold")
    place = runs_folder(runs)
    chosen = _chosen(api.list_runs(runs=place), older=older, phases=phases, keep=keep)
    if remote:
        from sciflow.cli.clearing import clear_remote

        return clear_remote(chosen, discard=discard, dry_run=dry_run, confirmed=lambda text: yes or _confirmed(text))
    return _clean(place, chosen, dry_run=dry_run, yes=yes)


def _clean(place: Path, chosen: Sequence[RunSummary], *, dry_run: bool, yes: bool) -> int:
    from sciflow.engine.clearing import all_remains
    from sciflow.engine.run_folder import abandoned
    from sciflow.view.runs import for_terminal

    unfinished = abandoned(place, before_s=time.time() - ABANDONED_S)
    if chosen:
        show(for_terminal(chosen, now_s=time.time()))
    if not chosen and not unfinished:
        note("nothing to remove")
        return 0
    told = _told(chosen, unfinished)
    left = list(all_remains(run.folder for run in chosen))
    if left:
        places = ", ".join(sorted({name for found in left for name in found.executors}))
        note(f"{count(len(left), 'run')} of these left files at {places}, which stay; --remote removes them first")
    if dry_run:
        note(f"would remove {told}")
    elif yes or _confirmed(f"Remove {told}?"):
        _remove_all(chosen, unfinished)
    else:
        note("nothing was removed")
    return 0


def _told(runs: Sequence[RunSummary], unfinished: Sequence[Path]) -> str:
    """How many they are, and how much they hold."""
    amount = size(sum(map(_bytes, [*(run.folder for run in runs), *unfinished])))
    return f"{' and '.join(_counts(len(runs), len(unfinished)))}, {amount}"


def _remove_all(runs: Sequence[RunSummary], unfinished: Sequence[Path]) -> None:
    for folder in unfinished:
        shutil.rmtree(folder, ignore_errors=True)
    gone = sum(not folder.exists() for folder in unfinished)
    note(f"removed {' and '.join(_counts(sum(map(_remove, runs)), gone)) or 'nothing'}")


def _counts(runs: int, unfinished: int) -> list[str]:
    told = [count(runs, "run")] if runs else []
    return told + ([f"{count(unfinished, 'folder')} of runs never wholly made"] if unfinished else [])


def _confirmed(question: str) -> bool:
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise click.UsageError("nobody is there to be asked: say --yes to remove them, --dry-run to see them") from None


def _chosen(
    runs: Sequence[RunSummary], *, older: float | None, phases: Sequence[str], keep: int | None
) -> list[RunSummary]:
    kept = {run.id for run in sorted(runs, key=lambda run: run.started)[-keep:]} if keep else set()
    latest = time.time() - older if older is not None else time.time()
    lowered = [phase.lower() for phase in phases]
    return [
        run
        for run in runs
        if run.id not in kept and run.started <= latest and (not lowered or run.phase.lower() in lowered)
    ]


def _bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _remove(run: RunSummary) -> bool:
    """Remove a run's folder while its lock is held, so that no engine begins to work on it meanwhile."""
    from sciflow.engine.run_folder import RunFolder

    try:
        with RunFolder(run.folder).lock():
            shutil.rmtree(run.folder)
    except RunBusy:
        note(f"kept {run.id}: it goes on")
        return False
    except OSError as error:
        note(f"kept {run.id}: {error}")
        return False
    return True
