"""Submissions that are taken back, by what is then said to programs of a batch system; those are stand-ins."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from sciflow.errors import HostError
from sciflow.executors.batch.aftermath import Aftermath
from sciflow.executors.batch.handover import Handover
from sciflow.executors.batch.making import make_depot, recall_from, system_of
from sciflow.executors.batch.mirror import BatchNews, Mirror
from sciflow.executors.batch.news import Closed, Condemned, News
from sciflow.executors.batch.opened import Open
from sciflow.executors.batch.recall import Recall
from sciflow.executors.batch.record import BatchRecord, Stage, read_all, write_record
from sciflow.executors.settings import BatchSettings
from sciflow.executors.systems.system import JobState, State

RECORD = BatchRecord(name="b", executor="cluster", stage=Stage.SUBMITTED, job="7", elements=((), ()))


@dataclass(frozen=True)
class Site:
    """A run whose jobs are with a Slurm, of which there are two programs only."""

    folder: Path
    settings: BatchSettings

    @property
    def run(self) -> Path:
        return self.folder / "runs" / "flow-1"

    @property
    def batch(self) -> Path:
        """The submission's folder on the host."""
        return self.folder / "there" / "runs" / "flow-1" / "batches" / RECORD.name

    @property
    def cancelled(self) -> list[str]:
        """With what `scancel` was called."""
        said = self.folder / "cancelled"
        return said.read_text().splitlines() if said.exists() else []

    def queue(self, *lines: str) -> None:
        (self.folder / "queue").write_text("".join(f"{line}\n" for line in lines))

    def recall(self, record: BatchRecord, *, running: bool) -> BatchRecord:
        """Takes a submission back, no engine being at work; its record then."""
        write_record(self.run, record)
        recall_from(self.settings, [record], self.run, running=running)
        (found,) = read_all(self.run)
        return found

    def handover(self) -> Handover:
        depot = make_depot(self.settings)
        depot.prepare()
        return Handover(depot, system_of(self.settings), here=self.run, there=f"runs/{self.run.name}")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, does in {"squeue": f"cat {tmp_path}/queue", "scancel": f'echo "$@" >> {tmp_path}/cancelled'}.items():
        (programs / name).write_text(f"#!/bin/sh\n{does}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    made = Site(tmp_path, BatchSettings(system="slurm", work_root=str(tmp_path / "there"), python=sys.executable))
    made.batch.mkdir(parents=True)
    made.run.mkdir(parents=True)
    made.queue()
    return made


@pytest.mark.parametrize("running", [True, False], ids=["cancelled", "stopped"])
def test_a_submission_of_which_neither_folder_nor_job_is_there_keeps_no_run_from_being_ended(
    site: Site, running: bool
) -> None:
    site.batch.rmdir()
    sent = msgspec.structs.replace(RECORD, stage=Stage.SENT, job="")
    assert site.recall(sent, running=running).stage is Stage.ENDED
    assert site.cancelled == []


def test_a_task_that_is_suspended_on_its_node_is_let_go_on_when_its_run_is_stopped_without_an_engine(
    site: Site,
) -> None:
    site.queue("7_0|SUSPENDED|None|b", "7_1|PENDING|Resources|b")
    assert site.recall(RECORD, running=False).withdrawn == (1,)
    assert site.cancelled == ["--quiet 7_[1]"]
    assert (site.batch / "stop").exists()


def test_a_stop_that_cannot_be_written_on_the_host_is_not_taken_for_written(site: Site) -> None:
    (site.batch / "stop").symlink_to(site.folder / "nowhere" / "stop")
    site.queue("7_0|RUNNING|None|b")
    with pytest.raises(HostError, match="stop"):
        site.recall(RECORD, running=False)


def test_a_stop_needs_no_folder_that_was_removed_on_the_host(site: Site) -> None:
    site.batch.rmdir()
    site.queue("7_[0-1]|PENDING|Resources|b")
    assert site.recall(RECORD, running=False).withdrawn == (0, 1)
    assert site.cancelled == ["--quiet 7_[0-1]"]


def test_a_crew_that_is_queued_again_after_some_of_its_elements_have_ended_is_taken_out_of_the_queue(
    site: Site,
) -> None:
    record = msgspec.structs.replace(RECORD, elements=((),) * 4, workers=2)
    batch = Open(record=record, stopped=True, ended={0})
    handover = site.handover()
    handover.records = lambda: [record]
    waiting = [JobState(job="7", element=element, state=State.QUEUED) for element in (0, 1)]
    Recall(handover, Mirror(site.run, here=False), here=site.run).take_back([batch], waiting)
    assert site.cancelled == ["--quiet 7_[0]"]
    assert not (site.batch / "cancelled").exists()
    assert batch.withdrawn == {1}


def test_an_element_that_was_taken_back_has_not_failed_whatever_its_script_has_ended_with(site: Site) -> None:
    told: list[News] = []
    aftermath = Aftermath(site.handover(), Mirror(site.run, here=False), told.append, marks_s=5.0)
    batch = Open(record=RECORD, withdrawn={1})
    aftermath.look(batch, BatchNews(dir=str(site.batch), died={"0": 3, "1": 0}), None)
    assert [type(news) for news in told] == [Condemned, Closed]
    assert batch.ended == {0, 1}
