"""Elements that have left the queue without a word: what becomes of them, and when."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from sciflow.executors.batch.depot import Depot
from sciflow.executors.batch.missing import Accounts, Missing
from sciflow.executors.batch.record import BatchRecord
from sciflow.executors.systems.sge import SGE
from sciflow.executors.systems.system import Command, JobState, State
from sciflow.executors.transports.local import LocalTransport

RECORD = BatchRecord(name="b", executor="cluster", job="7", elements=((), ()))
FACTS = """==============================================================
jobnumber    7
taskid       1
failed       0
exit_status  3
"""


class Cell:
    """Grid Engine whose accounting is a file, which need not be there yet."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def accounting(self, jobs: list[str]) -> Command[list[JobState]]:
        own = SGE().accounting(jobs)
        return msgspec.structs.replace(own, argv=("sh", "-c", f"cat {self._file} 2> /dev/null || true"))


def ends(missing: Missing, file: Path) -> list[tuple[int, State]]:
    depot = Depot(LocalTransport(), work_root=str(file.parent), python=sys.executable)
    missed = list(missing.look(RECORD, [0, 1], []))
    accounts = Accounts.ask(depot, Cell(file), ["7"])  # type: ignore[arg-type]
    known = [(k, accounts.of("7", k) or state, seconds) for k, state, seconds in missed]
    return [(k, state.state) for k, state, seconds in known if missing.is_over(RECORD.name, state, seconds)]


def test_an_accounting_that_says_nothing_yet_is_asked_again_before_an_element_is_given_up(tmp_path: Path) -> None:
    file, missing = tmp_path / "accounting", Missing(patience_s=0.0, late_s=3600.0)
    assert ends(missing, file) == []
    file.write_text("")
    assert ends(missing, file) == []
    file.write_text(FACTS)
    assert ends(missing, file) == [(0, State.FAILED)]


def test_an_element_that_the_accounting_never_knows_is_given_up_in_the_end(tmp_path: Path) -> None:
    file = tmp_path / "accounting"
    file.write_text(FACTS)
    assert ends(Missing(patience_s=0.0, late_s=0.0), file) == [(0, State.FAILED), (1, State.UNKNOWN)]
