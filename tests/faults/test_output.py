"""What ops print and read: a great deal, without a line's end, nothing at all."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Self

import pytest

from tests.faults.harness import NEEDS_LINUX, Bench, Processes
from tests.faults.programs import trouble

pytestmark = [pytest.mark.faults, NEEDS_LINUX]

MEGABYTES = int(os.environ.get("SCIFLOW_TEST_PRINT_MB", "200"))  # 1024 on request


class Peak:
    """The largest resident memory that any of the processes has, MB, looked at every few milliseconds."""

    def __init__(self, processes: Processes) -> None:
        self.mb = 0.0
        self._processes = processes
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.wait(0.03):
            for process in self._processes.all():
                try:
                    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
                except OSError:
                    continue
                self.mb = max(self.mb, pages * os.sysconf("SC_PAGE_SIZE") / 2**20)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@pytest.mark.parametrize("newline", [True, False])
@pytest.mark.parametrize("fail", [False, True])
def test_an_op_that_prints_a_great_deal_costs_disk_and_nothing_else(bench: Bench, newline: bool, fail: bool) -> None:
    with Peak(bench.processes) as peak:
        run = trouble.say_much.submit(megabytes=MEGABYTES, newline=newline, fail=fail)
        phase = run.wait(timeout_s=120)
    assert phase == ("Failed" if fail else "Succeeded")
    assert 5 < peak.mb < 100
    began = time.monotonic()
    if fail:
        report = run.report()
        assert "the last words" in report[-5000:]
        assert "enough said" in report
        assert len(report) < 100_000
    end = run.logs("chatter", tail=3)
    assert end.endswith("the last words")
    assert len(end) < 5 * 2**20
    assert time.monotonic() - began < 5
    log = next((run.folder / "logs").glob("1-*.out"))
    assert log.stat().st_size >= MEGABYTES * 2**20


def test_an_op_that_reads_its_standard_input_finds_it_at_its_end(bench: Bench) -> None:
    run = trouble.hear.options(timeout_s=30).run()
    assert run.result == ["", ""]


def test_an_op_that_is_started_from_a_pipe_leaves_it_to_the_script(bench: Bench) -> None:
    text = """
import sys
from tests.faults.programs import trouble
print(trouble.hear.options(timeout_s=30).run().result, sys.stdin.read())
"""
    done = bench.script(text, stdin="for the script")
    assert done.stdout == "['', ''] for the script\n", done.stderr
